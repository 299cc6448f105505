import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { type DoorMessage, type DoorStart, doorMessageSchema, type SupervisorMessage } from "./messages.ts";

/** The door answers a ping between two requests; one that takes longer than this is stuck for good. */
const STUCK_MS = 10_000;
const PING_MS = 1000;

export type DoorEvents = {
  message(message: DoorMessage): void;
  /** The thread is gone, though nobody asked it to go. */
  ended(how: string): void;
};

export type DoorThread = {
  send(message: SupervisorMessage): void;
  /** How long the oldest unanswered ping has waited, in milliseconds, where that is too long. */
  stuckMs(): number | undefined;
};

/** Starts the thread that owns the data ports, the queue and the shards, and watches that it turns. */
export const startDoor = (start: DoorStart, events: DoorEvents): DoorThread => {
  const { oldMib, youngMib } = start.budgets.heap;
  // The door's heap is not collected as a whole before it has this size, tensors included. They count as its memory, and it is
  // small besides, so that V8 would mark all of it a few times a second: with answers of 1 MB that was a third of the door's
  // time, and a quarter of the rate, under 256.
  setFlagsFromString(`--initial-old-space-size=${oldMib}`);
  const worker = new Worker(new URL("./door.ts", import.meta.url), {
    workerData: start,
    env: { ...process.env, ORT_DISABLE_TELEMETRY: "1" },
    ...(youngMib === undefined ? {} : { resourceLimits: { maxYoungGenerationSizeMb: youngMib } }),
  });
  let unanswered: number | undefined;
  let ended = false;
  const send = (message: SupervisorMessage): void => worker.postMessage(message);
  const end = (how: string): void => {
    if (ended) return;
    ended = true;
    clearInterval(pings);
    events.ended(how);
  };
  worker.on("message", (raw) => {
    const message = doorMessageSchema.parse(raw);
    if (message.type === "pong") unanswered = undefined;
    else events.message(message);
  });
  worker.on("error", (error) => end(error instanceof Error ? error.message : String(error)));
  worker.on("exit", (code) => end(`it ended with code ${code}`));
  const pings = setInterval(() => {
    if (unanswered !== undefined) return;
    unanswered = performance.now();
    send({ type: "ping" });
  }, PING_MS);
  return {
    send,
    stuckMs() {
      const waited = unanswered === undefined ? 0 : performance.now() - unanswered;
      return waited > STUCK_MS ? waited : undefined;
    },
  };
};
