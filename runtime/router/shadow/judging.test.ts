import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { handTimers } from "../../../test/world/hand-timers.ts";
import { type AnswerPair, judged } from "./judged.ts";
import { createJudging } from "./judging.ts";
import type { Answer } from "./read-answer.ts";

const answer = (values: readonly number[], fields: readonly string[] = []): Answer => {
  const text = JSON.stringify({
    outputs: [{ name: "p", datatype: "FP32", shape: [values.length], data: values }],
  });
  const isZipped = fields.includes("gzip");
  return {
    head: { status: 200, outcome: 200, hasBody: true, length: undefined, fields },
    bytes: isZipped ? gzipSync(text) : Buffer.from(text),
  };
};
const pair = (ours: Answer, theirs: Answer): AnswerPair => ({
  message: { protocol: "http", target: "/v2/models/digits/infer" },
  ...{ ours, theirs, tolerances: new Map([["p", { kind: "close", absolute: 0.5, relative: 0 }]]) },
});
const many = (value: number): number[] => Array<number>(20_000).fill(value);
const nobody = () => assert.fail("it is judged on the event loop");

test("large pairs are judged in a thread as on the event loop, small ones without it", async () => {
  const zipped = ["content-encoding", "gzip"];
  const large = [
    pair(answer(many(1)), answer(many(1.25))),
    pair(answer(many(1)), answer(many(2))),
    pair(answer(many(1)), { ...answer([]), bytes: Buffer.from("{") }),
    pair({ ...answer([]), bytes: Buffer.alloc(20_000) }, answer([1])),
    pair(answer(many(1), zipped), answer(many(1), zipped)),
  ];
  const judging = createJudging(nobody);
  const judgements = await Promise.all(large.map(judging));
  assert.deepEqual(judgements, await Promise.all(large.map(judged)));
  assert.deepEqual(
    judgements.map(({ kind }) => kind),
    ["agrees", "disagrees", "disagrees", "incomparable", "agrees"],
  );

  let here = 0;
  const small = createJudging(async () => {
    here++;
    return { kind: "agrees" };
  });
  await small(pair(answer([1]), answer([1])));
  assert.equal(here, 1);
});

test("the thread ends once there is nothing to judge, and another begins when there is", async () => {
  const timers = handTimers();
  const judging = createJudging(nobody, timers.after);
  const judge = () => judging(pair(answer(many(1)), answer(many(1))));
  assert.equal((await judge()).kind, "agrees");
  timers.ring(10_000);
  assert.equal((await judge()).kind, "agrees");
});
