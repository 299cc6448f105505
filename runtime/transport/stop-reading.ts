import type { Socket } from "node:net";

/** What is below a socket, which Node does not document. `reading`: as the socket wants it; the others are libuv's. */
type Handle = { readonly reading: boolean; readStop(): unknown; readStart(): unknown };

/**
 * A socket that is paused reads one piece more, of up to 64 KiB, before it stops: a thousand of them, 64 MiB in one turn. This stops it
 * at once. Where a Node has no such handle, it only pauses.
 *
 * @returns what lets it go on
 */
export const stopReading = (socket: Socket): (() => void) => {
  socket.pause();
  const handle = handleOf(socket);
  // one that has stopped by itself starts by itself, and fails if it was started meanwhile
  const stopped = handle?.reading === true;
  if (stopped) handle.readStop();
  return () => {
    if (stopped && handleOf(socket)?.reading === true) handle.readStart();
    socket.resume();
  };
};

const handleOf = (socket: Socket): Handle | undefined => {
  // a socket that is closed has none
  const handle: unknown = Reflect.get(socket, "_handle");
  return isHandle(handle) ? handle : undefined;
};

const isHandle = (value: unknown): value is Handle =>
  typeof value === "object" &&
  value !== null &&
  "reading" in value &&
  typeof value.reading === "boolean" &&
  "readStop" in value &&
  typeof value.readStop === "function" &&
  "readStart" in value &&
  typeof value.readStart === "function";
