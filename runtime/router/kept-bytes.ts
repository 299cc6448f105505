/**
 * The memory for all that waits in the router, counted once: bodies that are kept so that they can be sent again, bodies and answers
 * whose other side is slower, copies of requests. What a client's connection holds is that client's share.
 */
import { createMemory, type Memory } from "../memory/shares.ts";

export type KeptBytes = Pick<Memory, "nextShare"> & {
  /** For copies: false, and nothing is taken, where clients' requests may soon need it themselves. */
  take(bytes: number): boolean;
  give(bytes: number): void;
  used(): number;
  /** So many bytes that are not counted here are not held any more either, such as those that an answer was read to. */
  freed(bytes: number): void;
};

/** A body that is larger is never kept: it could be sent again only at the cost of many others. In bytes. */
export const MOST_KEPT_OF_ONE = 1024 ** 2;
/** Copies get nothing while more than this share of all is in use. */
const SPARE = 3 / 4;

/**
 * @param now milliseconds, never going back
 * @param freed is told of what is given back
 */
export const createKeptBytes = (
  most: number,
  now: () => number = () => performance.now(),
  freed: (bytes: number) => void = () => undefined,
): KeptBytes => {
  const { give, nextShare, take, usedBytes } = createMemory(most, now, freed);
  return {
    nextShare,
    take: (bytes) => usedBytes() + bytes <= most * SPARE && take(bytes),
    give,
    used: usedBytes,
    freed,
  };
};
