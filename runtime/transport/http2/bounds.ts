/** What the other side of a connection may make pile up, whichever side it is. */

/** Reading stops where answers to frames of the other side pile up. In bytes. */
export const MOST_UNSENT_BYTES = 2 * 1024 ** 2;
/** Frames that move nothing: pings, settings, priorities, empty data, frames of streams that are closed. */
export const IDLE_FRAMES = { burst: 10_000, perSecond: 1000 };
/** Who is told of an error, or is done, may take this long to close. */
export const LINGER_MS = 1000;
