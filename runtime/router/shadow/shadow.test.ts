import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFleet, type Fleet } from "../fleet.ts";
import { createKeptBytes } from "../kept-bytes.ts";
import type { AnswerHead, Events, Message } from "../message.ts";
import { createShadow, type Shadow } from "./index.ts";

const head = (status = 200): AnswerHead => ({
  ...{ status, outcome: status, hasBody: true, length: undefined },
  fields: ["content-type", "application/json"],
});
const answer = (values: number[]): Buffer =>
  Buffer.from(JSON.stringify({ outputs: [{ name: "p", datatype: "FP32", shape: [values.length], data: values }] }));

const message: Message = {
  ...{ protocol: "http", method: "POST", target: "/v2/models/digits/infer", fields: [] },
  body: { kind: "whole", pieces: [Buffer.from("{}")], bytes: 2 },
};

/** What each revision's pods answer a copy with; a number is a status. */
type Answers = Record<string, () => number[] | number>;

const world = (
  answers: Answers,
  random: () => number,
  kept = createKeptBytes(64 * 1024 ** 2),
): { shadow: Shadow; fleet: Fleet } => {
  const fleet = createFleet({
    limits: () => ({ maxRequests: 10, maxBytes: 1000, maxWaitMs: 1000 }),
    cap: 8,
    now: () => performance.now(),
    connect: ({ name }) => ({
      send: (_message, events: Events) => {
        const given = answers[name]?.() ?? 500;
        setImmediate(() => {
          events.head(head(typeof given === "number" ? given : 200));
          if (typeof given !== "number") events.data(answer(given));
          events.end([], typeof given === "number" ? given : 200);
        });
        return { pause: () => undefined, resume: () => undefined, abort: () => undefined };
      },
      sweep: () => undefined,
      retire: () => undefined,
    }),
  });
  for (const revision of ["a", "b"])
    fleet.setPods(revision, [
      { name: revision, host: "h", httpPort: 1, grpcPort: 2, isReady: true, isTerminating: false },
    ]);
  const routes = [
    { revision: "a", role: "stable" as const, weight: 100, shadow: 0 },
    { revision: "b", role: "canary" as const, weight: 0, shadow: 50 },
  ];
  const shadow = createShadow({
    ...{ fleet, kept, random, cap: 8 },
    table: () => ({ epoch: 1, routes }),
    timeoutMs: () => 1000,
    tolerances: () => new Map(),
  });
  return { shadow, fleet };
};

/** Stable answers a request with `values`. */
const answered = async ({ answered }: Shadow, values: number[]): Promise<boolean> => {
  const capture = answered(message);
  capture?.head(head());
  capture?.data(answer(values));
  capture?.end([]);
  await sleep(5);
  return capture !== undefined;
};

describe("shadowed requests", () => {
  afterEach(() => sleep(1));

  it("count pairs that agree and those that do not, by output", async () => {
    let values = [0.1, 0.9];
    const { shadow } = world({ b: () => values }, () => 0.4);
    await answered(shadow, [0.1, 0.9]);
    values = [0.9, 0.1];
    await answered(shadow, [0.1, 0.9]);
    assert.deepEqual(shadow.counters.canary, { compared: 2, disagreed: 1 });
    assert.deepEqual([...shadow.counters.outputs], [["p", 1]]);
  });

  it("are as many as the route says", async () => {
    const { shadow } = world({ b: () => [1] }, () => 0.5);
    assert.equal(await answered(shadow, [1]), false);
    assert.equal(shadow.counters.canary.compared, 0);
  });

  it("go to stable again now and then, which tells what chance there is in the model", async () => {
    const { shadow } = world({ a: () => [Math.random()], b: () => [1] }, () => 0.05);
    for (let i = 0; i < 3; i++) await answered(shadow, [5]);
    assert.deepEqual([shadow.counters.self, shadow.counters.canary.compared], [{ compared: 3, disagreed: 3 }, 0]);
  });

  it("tell where the canary fails, and where its answers are of another shape: these disagree", async () => {
    let given: number[] | number = 500;
    const { shadow } = world({ b: () => given }, () => 0.4);
    await answered(shadow, [1, 2]);
    given = [1, 2, 3];
    await answered(shadow, [1, 2]);
    const { canary, failed, incomparable, reason } = shadow.counters;
    assert.deepEqual([failed, incomparable, canary], [1, 0, { compared: 1, disagreed: 1 }]);
    assert.match(reason ?? "", /output "p" is FP64 \[2\] of stable, FP64 \[3\] of the canary/);
  });

  it("are the first to be dropped: where the canary is busy, or memory is short", async () => {
    const { fleet, shadow } = world({ b: () => [1] }, () => 0.4);
    const [pod] = fleet.arm("b").pods;
    if (pod !== undefined) pod.outstanding = 2;
    assert.equal(await answered(shadow, [1]), false);
    const short = world({ b: () => [1] }, () => 0.4, createKeptBytes(1000)).shadow;
    assert.equal(await answered(short, [1]), false);
    assert.deepEqual([shadow.counters.dropped, short.counters.dropped], [1, 1]);
  });

  it("give back all memory, also where stable's answer does not end", async () => {
    const kept = createKeptBytes(64 * 1024 ** 2);
    const { shadow } = world({ b: () => [1] }, () => 0.4, kept);
    await answered(shadow, [1]);
    const capture = shadow.answered(message);
    assert.ok(kept.used() > 0);
    capture?.dropped();
    assert.equal(kept.used(), 0);
  });
});
