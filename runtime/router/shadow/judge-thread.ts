import { parentPort } from "node:worker_threads";
import { type AnswerPair, judged } from "./judged.ts";
import type { FromThread, ToThread } from "./judging.ts";
import type { Answer } from "./read-answer.ts";

// Judges the pairs of answers that would hold the router's event loop, one after another, so that no more than two are in memory as tensors.

const bufferOf = ({ head, bytes }: Answer): Answer => ({
  head,
  // what is posted is a plain array of bytes here
  bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
});
const withBuffers = (pair: AnswerPair): AnswerPair => ({
  ...pair,
  ours: bufferOf(pair.ours),
  theirs: bufferOf(pair.theirs),
});

let before = Promise.resolve();
const tell = (message: FromThread): void => parentPort?.postMessage(message);

parentPort?.on("message", ({ id, pair }: ToThread) => {
  before = before
    .then(() => judged(withBuffers(pair)))
    .then((judgement) => tell({ id, judgement }))
    .catch((error: unknown) => tell({ id, failed: String(error) }));
});
