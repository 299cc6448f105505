import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestError } from "../../errors/request-error.ts";
import { createTurns } from "../../event-loop/turns.ts";
import { createMemory } from "../../memory/shares.ts";
import type { HttpRequest, HttpResponse } from "../../transport/http/types.ts";
import { createLong, createLongCalls } from "./long.ts";
import type { Asked, Response } from "./messages.ts";

/** Takes three milliseconds to read, and is read by the door. */
const BYTES = 300_000;
const answer: HttpResponse = { status: 200, headers: {}, parts: [] };

/** Requests that come in one turn of the event loop, and fill the memory. `turn`: the next one. */
const start = (count: number) => {
  let later: (() => void)[] = [];
  const memory = createMemory(count * BYTES, () => 0);
  const beside = { ask: () => assert.fail("it is read by the door") };
  const long = createLong(
    beside,
    createTurns((run) => later.push(run)),
    memory,
    0,
  );
  const outcomes: string[] = [];
  const requests = Array.from({ length: count }, (_, i): HttpRequest => {
    const body = memory.nextShare().lease(() => false);
    body.take(BYTES);
    const asked: HttpRequest = {
      ...{ method: "POST", path: "/v2/models/m/infer", query: "", header: () => undefined, onGone: undefined },
      body: Buffer.alloc(BYTES, "0.12,"),
      forget: body.release,
    };
    const handled = long.handle(asked, () => {
      assert.equal(asked.body.length, BYTES);
      body.release();
      return answer;
    });
    Promise.resolve(handled).then(
      () => outcomes.push(`${i} answered`),
      (error: unknown) => outcomes.push(`${i} ${error instanceof RequestError ? error.code : String(error)}`),
    );
    return asked;
  });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return {
    memory,
    requests,
    outcomes,
    settled,
    async turn(): Promise<void> {
      const due = later;
      later = [];
      for (const run of due) run();
      await settled();
    },
  };
};

test("what waits for its turn to be read makes room for what was read, those that came last first", async () => {
  const { memory, outcomes, requests, settled, turn } = start(20);
  await settled();
  const atOnce = outcomes.length;
  assert.ok(atOnce > 0 && atOnce < 10, outcomes.join());
  assert.ok(memory.admit((atOnce + 2) * BYTES));
  await settled();
  assert.deepEqual(outcomes.slice(atOnce), ["19 Overloaded", "18 Overloaded"]);
  assert.equal(requests[19]?.body.length, 0, "its body is not kept");
  while (outcomes.length < 20) await turn();
  assert.equal(outcomes.filter((outcome) => outcome.endsWith("answered")).length, 18);
  assert.equal(memory.usedBytes(), (atOnce + 2) * BYTES);
});

test("whose client has gone while it waited is not read", async () => {
  const { outcomes, requests, settled, turn } = start(20);
  requests[19]?.onGone?.();
  await settled();
  assert.ok(outcomes.includes("19 Cancelled"), outcomes.join());
  while (outcomes.length < 20) await turn();
});

test("what is dear to read goes beside, however small, and what is cheap does not, however large", () => {
  const asked: number[] = [];
  const beside = {
    ask: (one: Asked) => {
      asked.push(one.kind === "http" ? one.body.length : 0);
      return { answer: new Promise<Response>(() => undefined), cancel: () => undefined };
    },
  };
  const memory = createMemory(1e9, () => 0);
  const isHandled = (body: Buffer, json?: number): boolean => {
    let done = false;
    const header = (name: string) => (name === "inference-header-content-length" ? json?.toString() : undefined);
    const request: HttpRequest = { method: "POST", path: "/", query: "", header, onGone: undefined, body };
    const long = createLong(
      beside,
      createTurns(() => undefined),
      memory,
      5,
    );
    void long.handle(request, () => {
      done = true;
      return answer;
    });
    return done;
  };
  const many = (element: string, count: number) => Buffer.from(Array<string>(count).fill(element).join(","));
  assert.equal(isHandled(many("0.12345", 100_000)), true);
  assert.equal(isHandled(many('{"x":1}', 10_000)), false);
  assert.equal(isHandled(many('"\\n"', 40_000)), false);
  assert.deepEqual(asked, [79_999, 199_999]);
  assert.equal(isHandled(Buffer.alloc(2_000_000), 100), true, "two megabytes in binary form");
  assert.equal(isHandled(Buffer.alloc(4_000_000), 100), false, "four, which are looked at");
});

/** Four milliseconds to read, by the estimate: as typed contents each byte is taken apart. */
const TYPED = Buffer.concat([Buffer.from([5 * 8 + 2, 0x84, 0xde, 0x02, 8, 1]), Buffer.alloc(44_802, 8)]);
/** As many bytes of raw contents, which are used as they came. */
const RAW = Buffer.concat([Buffer.from([7 * 8 + 2, 0x80, 0xde, 0x02]), Buffer.alloc(44_800)]);
const MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer";

const calls = () => {
  let later: (() => void)[] = [];
  const memory = createMemory(6 * TYPED.length, () => 0);
  const long = createLongCalls(
    { ask: () => assert.fail("it is read by the door") },
    createTurns((run) => later.push(run)),
    memory,
    0,
  );
  const forgotten: number[] = [];
  const outcomes: string[] = [];
  /** Calls that come together; they wait only where that is said. */
  const asked = Array.from({ length: 6 }, (_, i) => {
    assert.ok(memory.take(TYPED.length));
    const asked = long.ask(MODEL_INFER, TYPED, Number.POSITIVE_INFINITY, () => {
      forgotten.push(i);
      memory.give(TYPED.length);
    });
    if (asked === undefined) outcomes.push(`${i} at once`);
    else if (!("turn" in asked)) assert.fail("it is read by the door");
    else
      asked.turn.then(
        () => outcomes.push(`${i} in its turn`),
        (error: unknown) => outcomes.push(`${i} ${error instanceof RequestError ? error.code : String(error)}`),
      );
    return asked;
  });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const turn = async (): Promise<void> => {
    const due = later;
    later = [];
    for (const run of due) run();
    await settled();
  };
  return { long, memory, asked, forgotten, outcomes, settled, turn };
};

test("calls that come together are read in turns of ten milliseconds; raw contents wait for nobody", async () => {
  const { long, outcomes, settled, turn } = calls();
  await settled();
  assert.deepEqual(outcomes.splice(0), ["0 at once", "1 at once"]);
  assert.equal(
    long.ask(MODEL_INFER, RAW, Number.POSITIVE_INFINITY, () => undefined),
    undefined,
  );
  await turn();
  assert.deepEqual(outcomes.splice(0), ["2 in its turn", "3 in its turn"]);
  await turn();
  assert.deepEqual(outcomes, ["4 in its turn", "5 in its turn"]);
});

test("a call that waits for its turn makes room for what was read, and one that was cancelled has none", async () => {
  const { asked, forgotten, memory, outcomes, settled, turn } = calls();
  asked[2]?.cancel();
  assert.ok(memory.admit(TYPED.length));
  await settled();
  await turn();
  await turn();
  assert.deepEqual(forgotten, [5]);
  assert.deepEqual(outcomes, ["0 at once", "1 at once", "5 Overloaded", "3 in its turn", "4 in its turn"]);
});
