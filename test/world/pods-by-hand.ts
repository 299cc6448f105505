/** The router's requests in front of pods that do what they are told, on a clock that is turned by hand. */
import assert from "node:assert/strict";
import { startExchange } from "../../runtime/router/exchange.ts";
import { type Arm, createFleet, type Fleet, type LivePod, type PodClient } from "../../runtime/router/fleet.ts";
import type { Port } from "../../runtime/router/life.ts";
import type { AnswerHead, Events, Exchange, Failure, Message, Reply } from "../../runtime/router/message.ts";
import { createStreamSlots } from "../../runtime/router/stream-slots.ts";
import type { Table } from "../../runtime/router/table.ts";
import { type HandClock, handClock } from "./hand-clock.ts";

/** What a pod does with a try; `ms` after it was sent. */
export type Deed =
  | { kind: "fails"; how: Failure; ms: number }
  | {
      kind: "answers";
      status: number;
      ms: number;
      pieces: number;
      everyMs: number;
      last: "end" | "breaks" | "hangs";
      isMeasured?: boolean;
    }
  | { kind: "hangs" };

export type Try = { pod: string; message: Message; reached: boolean; failed: Failure | undefined; at: number };

export const TIMEOUT_MS = 1000;
export const IDLE_MS = 5000;
export const MAX_WAIT_MS = 3000;

const headOf = (status: number, pieces: number, isMeasured = false): AnswerHead => ({
  ...{
    status,
    fields: [],
    length: pieces === 0 || isMeasured ? 100 * pieces : undefined,
    hasBody: pieces > 0,
    outcome: status,
  },
});

export const podClient = (clock: HandClock, pod: string, deed: () => Deed, tries: Try[]): PodClient => ({
  send(message: Message, events: Events) {
    const mine: Try = { pod, message, reached: false, failed: undefined, at: clock.now() };
    tries.push(mine);
    let over = false;
    let isPaused = false;
    const later = (ms: number, run: () => void): void => void clock.after(ms, () => over || run());
    const reach = (): void => {
      if (over) return;
      mine.reached = true;
      events.reached();
      if (message.body.kind === "stream")
        message.body.source.read(
          () => undefined,
          () => undefined,
        );
    };
    const fail = (how: Failure): void => {
      over = true;
      mine.failed = how;
      events.failed(how, "as told");
    };
    const now = deed();
    const isUnsent = now.kind === "fails" && (now.how === "unreachable" || now.how === "invalid");
    if (!isUnsent) later(1, reach);
    if (now.kind === "fails") later(now.ms + 1, () => fail(now.how));
    if (now.kind === "answers") {
      const { everyMs, isMeasured, last, pieces, status } = now;
      const go = (left: number): void => {
        if (isPaused) later(10, () => go(left));
        else if (left > 0) {
          events.data(Buffer.from("x"));
          events.flush();
          later(everyMs, () => go(left - 1));
        } else if (last === "breaks") fail("broken");
        else if (last === "end") {
          over = true;
          events.end([], status);
        }
      };
      later(now.ms + 1, () => {
        events.head(headOf(status, pieces, isMeasured));
        events.flush();
        if (!over) go(pieces);
      });
    }
    return {
      pause: () => {
        isPaused = true;
      },
      resume: () => {
        isPaused = false;
      },
      abort: () => {
        over = true;
      },
    };
  },
  sweep: () => undefined,
  retire: () => undefined,
});

export type Asked = { exchange: Exchange; ends: string[]; status: number | undefined; left: boolean; begun: boolean };

export type World = {
  clock: HandClock;
  fleet: Fleet;
  tries: Try[];
  wanted: string[];
  /** In bytes, each time that some are not held any more. */
  freed: number[];
  /** All are ready but these. */
  setPods(notReady: ReadonlySet<string>): void;
  ask(
    options?: Partial<Message> & { reads?: boolean; address?: string; client?: { address: string; streams: number } },
  ): Asked;
};

const TABLE: Table = {
  epoch: 1,
  routes: [
    { revision: "a", role: "stable", weight: 50, shadow: 0 },
    { revision: "b", role: "canary", weight: 50, shadow: 0 },
  ],
};
export const ONLY: Table = { epoch: 1, routes: [{ revision: "a", role: "stable", weight: 100, shadow: 0 }] };

export const world = (
  deeds: Record<string, () => Deed>,
  { table = TABLE, cap = 3, maxStreams = 2, random = (): number => 0.99, unready = new Set<string>() } = {},
): World => {
  const clock = handClock();
  const tries: Try[] = [];
  const wanted: string[] = [];
  const freed: number[] = [];
  const fleet = createFleet({
    limits: () => ({ maxRequests: 20, maxBytes: 1000, maxWaitMs: MAX_WAIT_MS }),
    ...{ cap, maxStreams, now: clock.now, after: clock.after },
    connect: ({ name }) => podClient(clock, name, deeds[name] ?? (() => ({ kind: "hangs" })), tries),
  });
  const port: Port = {
    ...{ model: "digits", table: () => table, fleet, streams: createStreamSlots(), random },
    ...{ timeoutMs: () => TIMEOUT_MS, idleMs: () => IDLE_MS, now: clock.now, after: clock.after },
    ...{ wakes: () => false, shortage: () => undefined, answered: () => undefined },
    wanted: ({ revision }) => void wanted.push(revision),
    freed: (bytes) => void freed.push(bytes),
  };
  const setPods = (notReady: ReadonlySet<string>): void => {
    for (const revision of ["a", "b"])
      fleet.setPods(
        revision,
        Object.keys(deeds)
          .filter((name) => name.startsWith(revision))
          .map((name) => ({
            ...{ name, host: name, httpPort: 1, grpcPort: 2, isReady: !notReady.has(name), isTerminating: false },
          })),
      );
  };
  setPods(unready);
  const ask: World["ask"] = (options = {}) => {
    const { address = "10.0.0.1", client = { address, streams: 0 }, reads = true, ...message } = options;
    const asked: Asked = { exchange: NO_EXCHANGE, ends: [], status: undefined, left: false, begun: false };
    const reply: Reply = {
      head: ({ outcome }) => {
        assert.ok(!asked.begun, "a second head");
        asked.begun = true;
        asked.status = outcome;
      },
      data: () => reads,
      flush: () => "taken",
      end: () => void asked.ends.push("end"),
      abort: () => void asked.ends.push("abort"),
    };

    asked.exchange = startExchange(
      port,
      {
        ...{ protocol: "http", method: "POST", target: "/", fields: [] },
        ...{ body: { kind: "whole", pieces: [], bytes: 10 } },
        ...message,
      },
      reply,
      client,
    );
    return asked;
  };
  return { clock, fleet, tries, wanted, freed, setPods, ask };
};
const NO_EXCHANGE: Exchange = { gone: () => undefined, drained: () => undefined, isHeld: () => false };

export const podsOf = ({ fleet }: World): readonly LivePod[] => fleet.arms().flatMap(({ pods }) => pods);
export const evidenceOf = ({ evidence, pods }: Arm): { requests: number; errors: number } =>
  [evidence, ...pods.map((pod) => pod.evidence)].reduce(
    (sum, one) => ({ requests: sum.requests + one.requests, errors: sum.errors + one.errors }),
    { requests: 0, errors: 0 },
  );
export const assertIdle = (one: World): void => {
  for (const { outstanding, place, reach, streams } of podsOf(one)) {
    assert.deepEqual([outstanding, streams], [0, 0], `slots of ${place.name}`);
    assert.deepEqual([reach.http.probing, reach.grpc.probing], [false, false], `probes of ${place.name}`);
  }
  for (const { reach, room } of one.fleet.arms())
    assert.deepEqual([room.size(), reach.http.probing, reach.grpc.probing], [0, false, false]);
};

export const refuses: Deed = { kind: "fails", how: "unreachable", ms: 0 };
export const answers: Deed = { kind: "answers", status: 200, ms: 5, pieces: 1, everyMs: 0, last: "end" };
export const always = (deed: Deed) => (): Deed => deed;
/** One after the other, and the last for ever. */
export const inTurn = (...deeds: Deed[]): (() => Deed) => {
  let at = 0;
  return () => deeds[Math.min(at++, deeds.length - 1)] ?? refuses;
};
export const conversation = (onEnd: (end: () => void) => void = () => undefined): Message["body"] => ({
  ...{ kind: "stream", length: undefined, isConversation: true },
  source: {
    read: (_, end) => onEnd(end),
    ...{ pause: () => undefined, resume: () => undefined, isWhole: () => false },
  },
});
export const chat = (world: World, options: Parameters<World["ask"]>[0] = {}): Asked =>
  world.ask({ protocol: "grpc", body: conversation(), ...options });
