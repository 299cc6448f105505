import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "../../../test/world/patience.ts";
import { createFleet, type Fleet } from "../fleet.ts";
import { createKeptBytes, type KeptBytes } from "../kept-bytes.ts";
import type { AnswerHead, Events, Message } from "../message.ts";
import { createShadow, type Shadow } from "./index.ts";
import { createJudging } from "./judging.ts";

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

type Given = number[] | number | { bytes: Buffer } | { outcome: number; fields: string[] } | "unreachable" | "broken";
/** What each revision's pods answer a copy with; a number is a status. */
type Answers = Record<string, () => Given>;
type World = { shadow: Shadow; fleet: Fleet; kept: KeptBytes };

const tell = (given: Given, events: Events): void => {
  if (given === "unreachable" || given === "broken") {
    events.failed(given, "as asked");
    return;
  }
  const outcome = typeof given === "number" ? given : "outcome" in given ? given.outcome : 200;
  const fields = typeof given === "object" && "fields" in given ? given.fields : [];
  events.head({ ...head(outcome), fields: [...head().fields, ...fields] });
  if (Array.isArray(given)) events.data(answer(given));
  else if (typeof given === "object" && "bytes" in given) events.data(given.bytes);
  events.end([], outcome);
};

const world = (
  answers: Answers,
  random: () => number,
  kept = createKeptBytes(64 * 1024 ** 2),
  table = { canary: "b" },
): World => {
  const fleet = createFleet({
    limits: () => ({ maxRequests: 10, maxBytes: 1000, maxWaitMs: 1000 }),
    cap: 8,
    now: () => performance.now(),
    connect: ({ name }) => ({
      send: (_message, events: Events) => {
        setImmediate(() => tell(answers[name]?.() ?? 500, events));
        return { pause: () => undefined, resume: () => undefined, abort: () => undefined };
      },
      sweep: () => undefined,
      retire: () => undefined,
    }),
  });
  for (const revision of ["a", "b", "c"])
    fleet.setPods(revision, [
      { name: revision, host: "h", httpPort: 1, grpcPort: 2, isReady: true, isTerminating: false },
    ]);
  const routes = () => [
    { revision: "a", role: "stable" as const, weight: 100, shadow: 0 },
    { revision: table.canary, role: "canary" as const, weight: 0, shadow: 50 },
  ];
  const shadow = createShadow({
    ...{ fleet, kept, random, cap: 8, judging: createJudging() },
    table: () => ({ epoch: 1, routes: routes() }),
    timeoutMs: () => 1000,
    tolerances: () => new Map(),
  });
  return { shadow, fleet, kept };
};

/** Stable answers a request with `values`, and what comes of it is counted. False: it is not copied. */
const answered = async (
  { kept, shadow }: World,
  values: number[] | Buffer,
  of: Message = message,
  outcome = 200,
): Promise<boolean> => {
  const capture = shadow.answered(of);
  capture?.head(head());
  capture?.data(Buffer.isBuffer(values) ? values : answer(values));
  capture?.end([], outcome);
  await until("the pair is counted", () => kept.used() === 0);
  return capture !== undefined;
};

/** Draws in turns: whether a request is copied (below 0.5 it is), whether the copy goes to stable again, and to which of its pods. */
const draws = (toStable: () => number): (() => number) => {
  let turn = 0;
  return () => (turn++ % 3 === 1 ? toStable() : 0);
};

/** A flat list as JSON has it, with bare NaN. */
const bare = (...values: number[]): Buffer =>
  Buffer.from(`{"outputs":[{"name":"p","datatype":"FP32","shape":[${values.length}],"data":[${values.join(",")}]}]}`);

describe("shadowed requests", () => {
  it("count pairs that agree and those that do not, by output", async () => {
    let values = [0.1, 0.9];
    const one = world({ b: () => values }, () => 0.4);
    await answered(one, [0.1, 0.9]);
    values = [0.9, 0.1];
    await answered(one, [0.1, 0.9]);
    assert.deepEqual(one.shadow.counters.canary, { compared: 2, disagreed: 1 });
    assert.deepEqual([...one.shadow.counters.outputs], [["p", 1]]);
  });

  it("disagree where the canary answers NaN and stable does not, and agree where both do", async () => {
    let given = bare(0.1, Number.NaN);
    const toCanary = draws(() => 0.6);
    const one = world({ b: () => ({ bytes: given }) }, toCanary);
    await answered(one, bare(0.1, 0.9));
    assert.deepEqual(one.shadow.counters.canary, { compared: 1, disagreed: 1 });
    assert.equal(one.shadow.counters.incomparable, 0);
    assert.match(one.shadow.counters.reason ?? "", /output "p" has numbers of stable where the canary has NaN/);
    await answered(one, bare(0.1, Number.NaN));
    given = bare(0.1, 0.9);
    await answered(one, bare(0.1, Number.NaN));
    assert.deepEqual(one.shadow.counters.canary, { compared: 3, disagreed: 2 });
  });

  it("go to stable as often as to the canary once an answer has lost its numbers, and only those are counted as lost or not", async () => {
    const lost = bare(0.1, Number.NaN);
    let given = bare(0.1, 0.2);
    let draw = 0.4;
    const one = world(
      { a: () => ({ bytes: given }), b: () => ({ bytes: given }) },
      draws(() => draw),
    );
    const { counters } = one.shadow;
    await answered(one, bare(0.1, 0.9));
    assert.deepEqual(counters.losses.canary, { compared: 0, lost: 0 }, "it differs, and has its numbers");
    given = lost;
    await answered(one, bare(0.1, 0.9));
    // before that, 0.4 went to the canary
    assert.deepEqual([counters.canary.compared, counters.self.compared], [2, 0]);
    assert.deepEqual(counters.losses.canary, { compared: 0, lost: 0 }, "it was chosen before it was known");
    await answered(one, bare(0.1, 0.9));
    draw = 0.6;
    await answered(one, bare(0.1, 0.9));
    given = bare(0.1, 0.9);
    await answered(one, bare(0.1, 0.9));
    assert.deepEqual(counters.losses, { canary: { compared: 2, lost: 1 }, self: { compared: 1, lost: 1 } });
    assert.deepEqual([counters.canary.compared, counters.self.compared], [4, 1]);
    // stable's own NaN beside one that has a number, or NaN as well, is no loss
    await answered(one, lost);
    given = lost;
    await answered(one, lost);
    assert.deepEqual(counters.losses.canary, { compared: 4, lost: 1 });
    // nothing that can be read is one
    given = Buffer.from("<html>");
    await answered(one, bare(0.1, 0.9));
    assert.deepEqual(counters.losses.canary, { compared: 5, lost: 2 });
  });

  it("begin anew with other revisions", async () => {
    const table = { canary: "b" };
    const one = world(
      { b: () => ({ bytes: bare(Number.NaN) }), c: () => [1] },
      draws(() => 0.4),
      undefined,
      table,
    );
    await answered(one, [1]);
    table.canary = "c";
    await answered(one, [1]);
    const { canary, losses, self } = one.shadow.counters;
    assert.deepEqual([canary.compared, self.compared, losses.canary.compared], [2, 0, 0]);
  });

  it("are no evidence where stable itself refuses in the end what it has begun to answer", async () => {
    const one = world({ b: () => 400 }, () => 0.4);
    assert.equal(await answered(one, [1, 2], message, 400), true);
    const { canary, failed, incomparable } = one.shadow.counters;
    assert.deepEqual([canary.compared, failed, incomparable], [0, 0, 0]);
  });

  it("disagree where stable's answer can be read and the canary's cannot; where stable's cannot they are no evidence", async () => {
    const broken = [
      ...["", "null", "{}", '{"outputs":[]}', "<html>", `{"outputs":[{"name":"p"`],
      ...[`{"outputs":[{"name":"p","datatype":"FP32","shape":[2],"data":[1]}]}`],
    ].map((text) => Buffer.from(text));
    for (const bytes of broken) {
      const one = world({ b: () => ({ bytes }) }, () => 0.4);
      await answered(one, [1, 2]);
      const { canary, failed, incomparable, reason } = one.shadow.counters;
      assert.deepEqual([canary, failed, incomparable], [{ compared: 1, disagreed: 1 }, 0, 0], String(bytes));
      assert.ok((reason ?? "") !== "");
      const other = world({ b: () => [1, 2] }, () => 0.4);
      await answered(other, bytes);
      assert.deepEqual(other.shadow.counters.canary, { compared: 0, disagreed: 0 }, String(bytes));
      assert.equal(other.shadow.counters.incomparable, 1);
      assert.match(other.shadow.counters.reason ?? "", /^stable's answer cannot be compared: /);
    }
  });

  it("are as many as the route says", async () => {
    const one = world({ b: () => [1] }, () => 0.5);
    assert.equal(await answered(one, [1]), false);
    assert.equal(one.shadow.counters.canary.compared, 0);
  });

  it("go to stable again now and then, which tells what chance there is in the model, and how often it fails", async () => {
    let given: Given = [4];
    const one = world({ a: () => given, b: () => [1] }, () => 0.05);
    for (let i = 0; i < 3; i++) await answered(one, [5]);
    assert.deepEqual(
      [one.shadow.counters.self, one.shadow.counters.canary.compared],
      [{ compared: 3, disagreed: 3 }, 0],
    );
    given = 500;
    await answered(one, [5]);
    assert.deepEqual(one.shadow.counters.self, { compared: 4, disagreed: 4 });
    assert.deepEqual([one.shadow.counters.failed, one.shadow.counters.reason], [0, undefined]);
  });

  it("tell where the canary fails, and where its answers are of another shape: these disagree", async () => {
    let given: Given = 500;
    const one = world({ b: () => given }, () => 0.4);
    await answered(one, [1, 2]);
    given = [1, 2, 3];
    await answered(one, [1, 2]);
    const { canary, failed, incomparable, reason } = one.shadow.counters;
    assert.deepEqual([failed, incomparable, canary], [1, 0, { compared: 1, disagreed: 1 }]);
    assert.match(reason ?? "", /output "p" is FP32 \[2\] of stable, FP32 \[3\] of the canary/);
  });

  it("are dropped where the canary has too much to do or was not reached, and fail with any other error", async () => {
    const later = { fields: ["retry-after", "1"] };
    const pushed = { fields: ["grpc-retry-pushback-ms", "1000"] };
    for (const [given, dropped] of [
      [{ outcome: 503, ...later }, 1],
      [{ outcome: 429, ...later }, 1],
      [{ outcome: 503, ...pushed }, 1],
      ["unreachable", 1],
      // as gRPC's INTERNAL is told
      [503, 0],
      [{ outcome: 500, ...later }, 0],
      [400, 0],
      ["broken", 0],
    ] as const) {
      const one = world(
        { b: () => (typeof given === "object" ? { ...given, fields: [...given.fields] } : given) },
        () => 0.4,
      );
      await answered(one, [1]);
      const { counters } = one.shadow;
      assert.deepEqual([counters.dropped, counters.failed], [dropped, 1 - dropped], JSON.stringify(given));
    }
  });

  it("are the first to be dropped: where the canary is busy, or memory is short", async () => {
    const one = world({ b: () => [1] }, () => 0.4);
    const [pod] = one.fleet.arm("b").pods;
    if (pod !== undefined) pod.outstanding = 2;
    assert.equal(await answered(one, [1]), false);
    const short = world({ b: () => [1] }, () => 0.4, createKeptBytes(1000));
    assert.equal(await answered(short, [1]), false);
    assert.deepEqual([one.shadow.counters.dropped, short.shadow.counters.dropped], [1, 1]);
  });

  it("are told of where stable's answers are too large, and disagree where the canary's alone are", async () => {
    const spaced = (bytes: number) => Buffer.concat([bare(1, 2), Buffer.alloc(bytes, " ")]);
    let given = bare(1, 2);
    const one = world({ b: () => ({ bytes: given }) }, () => 0.4);
    await answered(one, spaced(1024 ** 2));
    assert.deepEqual([one.shadow.counters.incomparable, one.shadow.counters.canary.compared], [1, 0]);
    assert.match(one.shadow.counters.reason ?? "", /more than 1048576 bytes, and Berth does not compare it/);
    given = spaced(2 * 1024 ** 2);
    await answered(one, bare(1, 2));
    assert.deepEqual(one.shadow.counters.canary, { compared: 1, disagreed: 0 });
    given = spaced(4 * 1024 ** 2);
    await answered(one, bare(1, 2));
    assert.deepEqual(one.shadow.counters.canary, { compared: 2, disagreed: 1 });
    const short = world({ b: () => ({ bytes: given }) }, () => 0.4, createKeptBytes(1.5 * 1024 ** 2));
    given = spaced(2 * 1024 ** 2);
    await answered(short, bare(1, 2));
    assert.deepEqual([short.shadow.counters.dropped, short.shadow.counters.canary.compared], [1, 0]);
  });

  it("give back all memory, also where stable's answer does not end", async () => {
    const one = world({ b: () => [1] }, () => 0.4);
    await answered(one, [1]);
    const capture = one.shadow.answered(message);
    assert.ok(one.kept.used() > 0);
    capture?.dropped();
    assert.equal(one.kept.used(), 0);
  });

  it("are none of calls that ask for no inference: a probe that both answer alike is no evidence", async () => {
    const one = world({ b: () => [1] }, () => 0.4);
    const probe = { ...message, protocol: "grpc" as const, target: "/inference.GRPCInferenceService/ServerReady" };
    assert.equal(await answered(one, [1], probe), false);
    assert.equal(await answered(one, [1], { ...message, method: "GET" }), false);
  });
});
