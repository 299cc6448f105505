/** The models of the bench, each with one request's tensors (a batch of one) and onnxruntime's own answer to them. */

import { copyFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { perceptronModel } from "../../runtime/models.ts";
import { randomFrom } from "../../world/random.ts";
import { RECOGNISER_FILE } from "../../world/reference.ts";
import { minilmFile } from "./install.ts";

export type Input =
  | { name: string; datatype: "FP32"; shape: readonly number[]; data: Float32Array }
  | { name: string; datatype: "INT64"; shape: readonly number[]; data: BigInt64Array };

export type ModelName = "tiny" | "mid" | "minilm" | "ocr";

export type Model = {
  name: ModelName;
  title: string;
  file: string;
  inputs: readonly Input[];
  /** Without the batch axis, as Triton's configuration wants it; -1 is any size. */
  outputs: readonly { name: string; dims: readonly number[] }[];
  expected: Float32Array;
  /** A run takes milliseconds: loads must last longer to count enough answers. */
  slow: boolean;
};

export const MODEL_NAMES: readonly ModelName[] = ["tiny", "mid", "minilm", "ocr"];

/** The answers of two batches differ by rounding; two models differ by far more. */
export const TOLERANCE = 1e-3;

const floats = (name: string, shape: readonly number[]): Input => {
  const random = randomFrom(7);
  const size = shape.reduce((product, part) => product * part, 1);
  // Three digits, as pixels and measurements have them: JSON bodies are not longer than a client's would be.
  return {
    name,
    datatype: "FP32",
    shape,
    data: Float32Array.from({ length: size }, () => Math.round(random() * 1e3) / 1e3),
  };
};

const integers = (name: string, values: readonly number[]): Input => ({
  ...{ name, datatype: "INT64", shape: [1, values.length] },
  data: BigInt64Array.from(values, BigInt),
});

type Draft = Omit<Model, "expected">;

const TOKENS = 32; // a sentence or two

const draft = async (name: ModelName, folder: string): Promise<Draft> => {
  const place = (made: string) => {
    const file = join(folder, `${name}.onnx`);
    copyFileSync(made, file);
    return file;
  };
  const moved = (made: string) => {
    const file = place(made);
    rmSync(dirname(made), { recursive: true });
    return file;
  };
  switch (name) {
    case "tiny":
      return {
        ...{ name, title: "MLP 64-128-128-10", slow: false },
        file: moved(perceptronModel([64, 128, 128, 10], randomFrom(1))),
        inputs: [floats("x", [1, 64])],
        outputs: [{ name: "y", dims: [10] }],
      };
    case "mid":
      return {
        ...{ name, title: "MLP 784-1024-1024-1024-10", slow: false },
        file: moved(perceptronModel([784, 1024, 1024, 1024, 10], randomFrom(2))),
        inputs: [floats("x", [1, 784])],
        outputs: [{ name: "y", dims: [10] }],
      };
    case "minilm": {
      const random = randomFrom(3);
      // 101 and 102 open and close a sequence; the words lie above 1996.
      const ids = Array.from({ length: TOKENS }, (_, at) =>
        at === 0 ? 101 : at === TOKENS - 1 ? 102 : 1996 + Math.floor(random() * 20_000),
      );
      return {
        ...{ name, title: `all-MiniLM-L6-v2, ${TOKENS} tokens`, slow: true },
        file: place(await minilmFile()),
        inputs: [
          integers("input_ids", ids),
          integers(
            "attention_mask",
            ids.map(() => 1),
          ),
          integers(
            "token_type_ids",
            ids.map(() => 0),
          ),
        ],
        outputs: [{ name: "sentence_embedding", dims: [384] }],
      };
    }
    case "ocr":
      return {
        ...{ name, title: "PP-OCRv4 recognition, 48 × 320", slow: true },
        file: place(RECOGNISER_FILE),
        inputs: [floats("x", [1, 3, 48, 320])],
        outputs: [{ name: "softmax_11.tmp_0", dims: [-1, 6625] }],
      };
  }
};

/** @param folder where the files of the models go */
export const makeModel = async (name: ModelName, folder: string): Promise<Model> => {
  const model = await draft(name, folder);
  const session = await InferenceSession.create(model.file);
  const names = model.outputs.map((output) => output.name).join();
  if (session.outputNames.join() !== names) {
    throw new Error(`${name}: outputs are ${session.outputNames.join()}, expected ${names}`);
  }
  const feeds = Object.fromEntries(
    model.inputs.map((input) => [
      input.name,
      input.datatype === "FP32"
        ? new Tensor("float32", input.data, input.shape)
        : new Tensor("int64", input.data, input.shape),
    ]),
  );
  const answer = Object.values(await session.run(feeds))[0]?.data;
  await session.release();
  if (!(answer instanceof Float32Array)) throw new Error(`${name}: the output is not float32`);
  return { ...model, expected: answer.slice() };
};
