import { readFileSync, writeFileSync } from "node:fs";
import { InferenceError } from "../../engine/errors.ts";
import { warmUp } from "../../engine/first-run.ts";
import { givenOutputs } from "../../engine/output-shapes.ts";
import { type Engine, loadModel } from "../../engine/session.ts";
import { elementCount, type Tensor } from "../../tensors/index.ts";
import { answerEncoder, decodeControl, decodeJob, encodeControl, encodeRefusal } from "./frames.ts";
import { startLifeline } from "./lifeline.ts";
import { blockingLink, LINK_FD } from "./link.ts";
import { describeFailure, isLoadMessage, type LoadMessage } from "./load-message.ts";
import type { ShardMessage } from "./messages.ts";
import { assertSame } from "./same-files.ts";

// The process that owns a session of onnxruntime: it loads the model, runs it once, and then one job after the other.
// It may hang or crash; whoever started it does not.

const link = blockingLink(LINK_FD);
const tell = (message: ShardMessage): void => link.write([encodeControl(message)]);
const secondsSince = (started: number): number => (performance.now() - started) / 1000;

const load = async (message: LoadMessage): Promise<Engine> => {
  const started = performance.now();
  const files = assertSame(message.files);
  const engine = await loadModel(message.file, message);
  // and it was not exchanged while it was read
  assertSame(files);
  const { inputs, outputs } = engine;
  tell({ type: "loaded", inputs: [...inputs], outputs: [...outputs], loadSeconds: secondsSince(started) });
  const warmUpStarted = performance.now();
  const warm = await warmUp(engine);
  const warmUpSeconds = secondsSince(warmUpStarted);
  tell({ type: "ready", warmUp: warm, warmUpSeconds, outputs: await givenOutputs(engine, warm) });
  return engine;
};

const serve = async (engine: Engine, maxAnswerBytes: number): Promise<void> => {
  const encode = answerEncoder();
  const answer = async (frame: Uint8Array): Promise<number> => {
    const { inputs, outputs } = decodeJob(frame, engine);
    let bytes = weightOf(inputs);
    const started = performance.now();
    try {
      const results = await engine.run(inputs, outputs);
      const runMs = performance.now() - started;
      bytes += weightOf(results);
      boundAnswer(results, maxAnswerBytes);
      link.write(encode(results, runMs));
    } catch (error) {
      if (!(error instanceof InferenceError)) throw error;
      link.write([encodeRefusal(error)]);
    }
    return bytes;
  };
  for (let frame = link.read(); frame !== undefined; frame = link.read()) {
    const bytes = await answer(frame);
    // A process that waits for its next job collects nothing: what a large one has left would stay for hours.
    if (link.shrink() || bytes > LARGE_BYTES) globalThis.gc?.();
  }
};

/** To collect the heap of a shard takes a millisecond or two. */
const LARGE_BYTES = 16 * 1024 ** 2;
const STRING_BYTES = 100;

/** What tensors take here, each string with its object. */
const weightOf = (tensors: ReadonlyMap<string, Tensor>): number => {
  let bytes = 0;
  for (const { datatype, shape, bytes: own } of tensors.values()) {
    bytes += own.length + (datatype === "BYTES" ? STRING_BYTES * (elementCount(shape) ?? 0) : 0);
  }
  return bytes;
};

const boundAnswer = (results: ReadonlyMap<string, Tensor>, most: number): void => {
  let bytes = 0;
  for (const tensor of results.values()) bytes += tensor.bytes.length;
  if (bytes <= most) return;
  const told = `the outputs of this run have ${bytes} bytes, at most ${most} are answered under this memory limit`;
  throw new InferenceError(
    "input",
    `${told}; send less at once, ask for fewer outputs, or raise spec.resources.limits.memory`,
  );
};

/** The kernel ends the process with the highest score where memory is short: a shard, which is replaced, and not the door. */
const offerToKernel = (): void => {
  try {
    const own = Number(readFileSync("/proc/self/oom_score_adj", "utf8"));
    writeFileSync("/proc/self/oom_score_adj", String(Math.min(1000, own + OOM_SCORE)));
  } catch {
    // a kernel without it, or a filter of system calls: the kernel chooses by size alone
  }
};
/** In thousandths: a shard counts as if it had half of the limit more than it has, and the door never is that much larger. */
const OOM_SCORE = 500;

// A terminal sends Ctrl-C to the whole process group: when to end is the server's decision.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
offerToKernel();
const lifeline = startLifeline();

const first = link.read();
if (first !== undefined) {
  let engine: Engine | undefined;
  let maxAnswerBytes = 0;
  try {
    const message = decodeControl(first);
    if (!isLoadMessage(message)) throw new Error("the first message must say what to load");
    if (message.copy !== undefined) lifeline.removeAtEnd(message.copy);
    maxAnswerBytes = message.maxAnswerBytes;
    engine = await load(message);
  } catch (error) {
    tell(describeFailure(error));
  }
  if (engine !== undefined) await serve(engine, maxAnswerBytes);
}
process.exit(0);
