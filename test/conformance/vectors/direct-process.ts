/** onnxruntime itself, without the server, in a process of its own: a model may end it. Answers one message after another. */
process.env.ORT_DISABLE_TELEMETRY = "1";
// onnxruntime-node 1.30 takes float16 in a Uint16Array where the language has no Float16Array, and in that none rightly.
Reflect.deleteProperty(globalThis, "Float16Array");
const ort = await import("onnxruntime-node");
const { bytesOf, DATATYPES, elementCount, elements } = await import("../../../runtime/tensors/index.ts");
const { encodeStrings, splitStrings } = await import("../../../runtime/tensors/strings.ts");

import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { Datatype, Tensor } from "../../../runtime/tensors/index.ts";
import type { Answer, Question } from "./direct.ts";

const toOrt = ({ datatype, shape, bytes }: Tensor): OrtTensor => {
  if (datatype === "BYTES") {
    const texts = splitStrings(bytes, elementCount(shape) ?? 0) ?? [];
    return new ort.Tensor(
      "string",
      texts.map((text) => Buffer.from(text).toString()),
      shape,
    );
  }
  const Any: new (type: string, data: unknown, dims: readonly number[]) => OrtTensor = ort.Tensor;
  return new Any(DATATYPES[datatype].onnx, elements(datatype, Uint8Array.from(bytes)), shape);
};

const fromOrt = (value: InferenceSession.OnnxValueMapType[string] | undefined): Tensor | undefined => {
  if (value === undefined || !("dims" in value)) return undefined;
  const shape = [...value.dims];
  if (Array.isArray(value.data)) return { datatype: "BYTES", shape, bytes: encodeStrings(value.data) };
  const names = Object.keys(DATATYPES) as Exclude<Datatype, "BYTES">[];
  const datatype = names.find((name) => DATATYPES[name].onnx === value.type);
  // float16 too comes as 16 bits, for there is no other array
  return datatype === undefined ? undefined : { datatype, shape, bytes: bytesOf(value.data as Uint8Array) };
};

const answerTo = async ({ file, inputs, runs }: Question): Promise<Answer> => {
  let session: InferenceSession;
  try {
    session = await ort.InferenceSession.create(file, { executionProviders: ["cpu"], logSeverityLevel: 4 });
  } catch (error) {
    return { notLoaded: String(error) };
  }
  const outside = [...session.inputMetadata, ...session.outputMetadata].find(
    (one) =>
      !one.isTensor || !(one.type === "string" || Object.values(DATATYPES).some(({ onnx }) => onnx === one.type)),
  );
  if (outside !== undefined) return { notTensors: outside.name };
  try {
    const feeds = Object.fromEntries([...inputs].map(([name, tensor]) => [name, toOrt(tensor)]));
    let results = await session.run(feeds);
    for (let run = 1; run < runs; run++) results = await session.run(feeds);
    const outputs = new Map<string, Tensor>();
    for (const name of session.outputNames) {
      const tensor = fromOrt(results[name]);
      if (tensor !== undefined) outputs.set(name, tensor);
    }
    return { outputs };
  } catch (error) {
    return { notRun: String(error) };
  } finally {
    await session.release();
  }
};

process.on("message", (question: Question) => {
  void answerTo(question).then((answer) => process.send?.(answer));
});
