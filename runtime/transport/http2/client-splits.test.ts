/**
 * Made-up answers, some of them broken, mean the same wherever their bytes were split, and though each piece is read to the place of the
 * one before. FUZZ_RUNS and FUZZ_SEED as for the other fuzzed readers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { answer } from "../../../test/faults/fuzz/made-up-pods.ts";
import { CALL, connectClient, type Heard, told, turn } from "../../../test/world/http2-server.ts";
import { frame } from "../../../test/world/made-up-http2.ts";
import { until } from "../../../test/world/patience.ts";
import * as http2 from "./protocol.ts";

const CALLS = 2;

type Context = Parameters<typeof connectClient>[0];
type Outcome = { logs: string[][]; said: string[]; isOpen: boolean };

const lineOf = ({ flags, payload, stream, type }: Heard): string =>
  `${type} ${flags} ${stream} ${payload.toString("latin1")}`;

/** What becomes of two calls whose server says these pieces, and what is said to it. */
const run = async (t: Context, pieces: readonly Buffer[]): Promise<Outcome> => {
  const { client, heard, isHeardOut, socket } = await connectClient(t);
  const calls = Array.from({ length: CALLS }, () => told());
  client.read(frame(http2.SETTINGS, 0, 0));
  for (const { events } of calls) client.call(CALL, events);
  await turn();
  const room = Buffer.alloc(MOST_BYTES);
  for (const piece of pieces) {
    const filled = piece.copy(room);
    client.read(room.subarray(0, filled));
    room.fill(0xff);
  }
  const isOpen = client.isOpen();
  client.ping();
  await until("the last word", () => isHeardOut() || heard().some(({ type }) => type === http2.PING));
  // the end of the socket is told as well
  const outcome = { logs: calls.map(({ log }) => [...log]), said: heard().map(lineOf), isOpen };
  socket.destroy();
  return outcome;
};

/** Each call is told its head, then its data, then one end; nothing follows that. */
const isInOrder = (log: readonly string[]): boolean =>
  /^begun(?:,head(?:,data)?)?(?:,(?:end|unseen|broken))?$/.test(log.map((line) => line.split(/[ :]/)[0]).join(","));

const MOST_BYTES = 60_000;
const cut = (bytes: Buffer, sizes: readonly number[]): Buffer[] => {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = at + (sizes[i] ?? MOST_BYTES);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
};

test("answers mean the same wherever they were split", async (t) => {
  const seed = Number(process.env.FUZZ_SEED ?? 1);
  const numRuns = Number(process.env.FUZZ_RUNS ?? 60);
  t.diagnostic(`FUZZ_SEED=${seed} FUZZ_RUNS=${numRuns}`);
  const frames = fc.array(answer, { minLength: 1, maxLength: 3 }).map((answers) =>
    Buffer.concat(
      answers.flatMap(({ grpc }, i) =>
        grpc.map(({ flags, payload, place, type }) => {
          const id = place === "connection" ? 0 : Math.max(0, 1 + 2 * (i % CALLS) + place);
          return frame(type, flags, id, payload);
        }),
      ),
    ),
  );
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 20_000 })), {
    maxLength: 60,
  });
  await fc.assert(
    fc.asyncProperty(frames, sizes, async (bytes, sizes) => {
      const whole = await run(t, cut(bytes, []));
      const split = await run(t, cut(bytes, sizes));
      assert.deepEqual(split, whole);
      for (const log of whole.logs) assert.ok(isInOrder(log), JSON.stringify(log).slice(0, 1000));
    }),
    { seed, numRuns },
  );
});
