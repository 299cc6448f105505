/** Made-up clients: what they send, how fast, whether they read, and how they leave. */
import { connect } from "node:net";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { clientBytes, type Door } from "./client-bytes.ts";

export type Client = {
  door: Door;
  bytes: Buffer;
  /** Where its bytes are cut into pieces, as shares of them. */
  cuts: number[];
  /** Between the pieces; 0: a turn of the event loop. */
  pauseMs: number;
  reads: boolean;
  /** It half closes, goes, resets, or stays until the other side has closed, but no longer than it stays. */
  leaves: "half" | "goes" | "resets" | "stays";
  staysMs: number;
};

export const client: fc.Arbitrary<Client> = fc
  .tuple(
    clientBytes,
    fc.record({
      cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
      pauseMs: fc.constantFrom(0, 0, 0, 1, 5),
      reads: fc.constantFrom(true, true, true, false),
      leaves: fc.constantFrom("half", "half", "goes", "resets", "stays"),
      staysMs: fc.constantFrom(0, 2, 10, 10, 50, 200),
    }),
  )
  .map(([sent, manner]) => ({ ...sent, ...manner }));

const piecesOf = ({ bytes, cuts }: Client): Buffer[] => {
  const places = [0, ...cuts.map((share) => Math.floor(share * bytes.length)).toSorted((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, i) => bytes.subarray(places[i], place));
};

/** Resolves when it has left. */
export const play = async (one: Client, port: number): Promise<void> => {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const closed = new Promise<void>((resolve) => socket.once("close", resolve));
  socket.on("error", () => undefined);
  if (one.reads) socket.resume();
  else socket.pause();
  for (const piece of piecesOf(one)) {
    if (socket.destroyed) break;
    socket.write(piece);
    await (one.pauseMs === 0 ? turn() : sleep(one.pauseMs));
  }
  if (one.leaves === "half") socket.end();
  const over = new Promise<void>((resolve) => socket.once("end", resolve));
  await Promise.race([closed, over, sleep(one.staysMs)]);
  if (one.leaves === "resets") socket.resetAndDestroy();
  else socket.destroy();
  await closed;
};
