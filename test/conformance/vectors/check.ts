import { join } from "node:path";
import { NotServed, serve } from "../server.ts";
import { difference } from "./compare.ts";
import type { Vector } from "./data.ts";
import type { Answer, Direct } from "./direct.ts";
import { inferOverHttp } from "./infer.ts";
import { type Named, readCase } from "./read.ts";

export type Outcome = { kind: "ok" | "failed" } | { kind: "unsupported"; reason: string };
export type VectorResult = { name: string; outcome: Outcome; detail: string };

/**
 * Whether the server answers a vector as it must: within ONNX's tolerance, or, where onnxruntime itself does otherwise, as
 * onnxruntime does. What onnxruntime cannot load, or no request can hold, the server must refuse; that is "unsupported".
 */
export const checkVector = async (vector: Vector, direct: Direct): Promise<VectorResult> => {
  const file = join(vector.folder, "model.onnx");
  const result = (outcome: Outcome, detail = ""): VectorResult => ({ name: vector.name, outcome, detail });
  const failed = (detail: string): VectorResult => result({ kind: "failed" }, detail);
  const test = readCase(vector);
  const alone = await direct.ask({ file, inputs: typeof test === "string" ? new Map() : test.inputs, runs: 1 });

  let served: Awaited<ReturnType<typeof serve>>;
  try {
    served = await serve(file, "m", ["--shards", "1"]);
  } catch (error) {
    if (!(error instanceof NotServed)) throw error;
    const reason = "notLoaded" in alone ? notLoaded(alone.notLoaded) : whyNoRequest(test, alone);
    if (reason === undefined) return failed(`onnxruntime loads it, the server does not: ${error.message}`);
    if ("notTensors" in alone && !error.message.includes(`"${alone.notTensors}"`)) {
      return failed(`refused without a word about "${alone.notTensors}": ${error.message}`);
    }
    return result({ kind: "unsupported", reason }, error.message);
  }
  try {
    if ("notLoaded" in alone) return failed("the server is ready, and onnxruntime does not load it");
    const reason = whyNoRequest(test, alone);
    if (reason !== undefined) return failed(`the server is ready, and it must not be: ${reason}`);
    if (typeof test === "string") return failed(`the vector cannot be read: ${test}`);
    const again = () => direct.ask({ file, inputs: test.inputs, runs: 2 });
    return await compare(`http://${served.http}/v2/models/m`, test, alone, again, result);
  } finally {
    await served.stop();
  }
};

const compare = async (
  base: string,
  test: { inputs: Named; outputs: Named },
  alone: Answer,
  again: () => Promise<Answer>,
  result: (outcome: Outcome, detail?: string) => VectorResult,
): Promise<VectorResult> => {
  let answer: Named;
  try {
    answer = await inferOverHttp(base, test.inputs);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if ("notRun" in alone) return result({ kind: "unsupported", reason: "onnxruntime cannot run it" }, alone.notRun);
    return result({ kind: "failed" }, `the server says ${message}`);
  }
  if (!("outputs" in alone)) return result({ kind: "failed" }, "the server answers, and onnxruntime alone does not");
  const wrong = firstDifference(answer, test.outputs);
  if (wrong === undefined) return result({ kind: "ok" });
  const aloneWrong = firstDifference(alone.outputs, test.outputs);
  if (aloneWrong === undefined) return result({ kind: "failed" }, wrong);
  const unlike = firstDifference(answer, alone.outputs);
  if (unlike === undefined)
    return result({ kind: "unsupported", reason: "onnxruntime itself answers otherwise" }, aloneWrong);
  // A generator with a fixed seed goes on from run to run, and the server has run the model before it was ready.
  const second = await again();
  const random = "outputs" in second && firstDifference(second.outputs, alone.outputs) !== undefined;
  if (!random) return result({ kind: "failed" }, `unlike onnxruntime alone, ${unlike}`);
  return result({ kind: "unsupported", reason: "the answers are random numbers" }, aloneWrong);
};

const firstDifference = (answer: Named, expected: Named): string | undefined => {
  for (const [name, tensor] of expected) {
    const wrong = difference(answer.get(name), tensor);
    if (wrong !== undefined) return `output "${name}" ${wrong}`;
  }
  return undefined;
};

const whyNoRequest = (test: object | string, alone: Answer): string | undefined => {
  if (!("notTensors" in alone)) return undefined;
  return typeof test === "string" ? test : "an input or output is no tensor, or of a type that is not served";
};

/** Groups onnxruntime's words, which hold names of nodes, versions and places in its sources. */
const notLoaded = (message: string): string => {
  const known = REASONS.find(([words]) => words.test(message));
  return known?.[1] ?? `does not load: ${message.slice(0, 200)}`;
};

const REASONS: readonly [words: RegExp, reason: string][] = [
  [/Could not find an implementation for/, "onnxruntime has no implementation for the CPU"],
  [/is not a registered function\/op/, "onnxruntime does not know the operator"],
  [/Unsupported data type/, "onnxruntime-node does not know the type of an input or output"],
  [/Failed to construct locale/, "this machine has not the locale that the model names"],
  [/layout == 1\) are not supported/, "onnxruntime has no recurrent operators with layout 1"],
];
