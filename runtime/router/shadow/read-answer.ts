/** The outputs in an answer, in whichever of the served protocols it is, so that two of them can be compared. */
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, zstdDecompress } from "node:zlib";
import { parseDocument } from "../../protocols/json/document.ts";
import { firstFieldOf } from "../../transport/http/fields.ts";
import type { AnswerHead, Message } from "../message.ts";
import { splitMessages } from "./grpc-messages.ts";
import type { Outputs } from "./outputs.ts";
import { isFields, laterIn, readFields } from "./read-fields.ts";
import { readModelInfer, readModelStreamInfer } from "./read-model-infer.ts";
import { readTensors } from "./read-open-inference.ts";
import { readClassify, readMultiInference, readPredict, readRegress } from "./read-tensorflow.ts";

/** Of stable's answer, also when it is decompressed; a larger one is not compared. Reading one takes some 10 ms, and 300 at worst. */
export const MOST_ANSWER = 1024 ** 2;

/** The same numbers may take more digits: a canary's answer that is larger still is another one. */
export const MOST_THEIRS = 4 * MOST_ANSWER;

export type Answer = { head: AnswerHead; bytes: Buffer };
/** What can be compared; or why it cannot. */
export type Read = { outputs: Outputs } | { unreadable: string };

type ReadMessages = (messages: readonly Buffer[], most: number) => Outputs;

const one =
  (read: (message: Buffer, most: number) => Outputs): ReadMessages =>
  (messages, most) => {
    const [message, ...others] = messages;
    if (message === undefined || others.length > 0) throw new Error(`it has ${messages.length} messages, not one`);
    return read(message, most);
  };

/** By the path of the call. Others ask for no inference. */
const CALLS: ReadonlyMap<string, ReadMessages> = new Map<string, ReadMessages>([
  ["/inference.GRPCInferenceService/ModelInfer", one((message) => readModelInfer([message]))],
  ["/inference.GRPCInferenceService/ModelStreamInfer", readModelStreamInfer],
  ["/tensorflow.serving.PredictionService/Predict", one(readPredict)],
  ["/tensorflow.serving.PredictionService/Classify", one(readClassify)],
  ["/tensorflow.serving.PredictionService/Regress", one(readRegress)],
  ["/tensorflow.serving.PredictionService/MultiInference", one(readMultiInference)],
]);

/** Whether its answer says something of the model: a probe that is answered alike by both is no evidence. */
export const isInference = ({ method, protocol, target }: Message): boolean =>
  protocol === "grpc" ? CALLS.has(target) : method === "POST";

/** @param most the most bytes that it may have when it is decompressed */
export const readAnswer = async (
  { protocol, target }: Pick<Message, "protocol" | "target">,
  answer: Answer,
  most: number,
): Promise<Read> => {
  try {
    const call = protocol === "grpc" ? CALLS.get(target) : undefined;
    const outputs = call === undefined ? await readHttp(answer, most) : await readCall(call, answer, most);
    // two answers that say nothing would agree
    return outputs.size === 0 ? { unreadable: "it has no outputs" } : { outputs };
  } catch (error) {
    return { unreadable: wordsOf(error) };
  }
};

/** The readers are those of the server, and speak of a request. */
const wordsOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error))
    .replace(/^the request is/, "it is")
    .replace(/^input "/, 'output "');

const readHttp = async ({ bytes, head }: Answer, most: number): Promise<Outputs> => {
  const coding = firstFieldOf(head.fields, "content-encoding") ?? "identity";
  const plain = await decode(bytes, coding.trim().toLowerCase(), most);
  return readJsonAnswer(plain, firstFieldOf(head.fields, "inference-header-content-length"));
};

/**
 * Tensors of the Open Inference Protocol by their names; of other JSON its fields.
 *
 * @param jsonBytes the header `inference-header-content-length`, where tensors follow the JSON
 * @throws Error where it is none of these
 */
export const readJsonAnswer = (bytes: Buffer, jsonBytes: string | undefined): Outputs => {
  const length = jsonBytes === undefined ? bytes.length : /^\d{1,9}$/.test(jsonBytes) ? Number(jsonBytes) : -1;
  if (length < 0 || length > bytes.length) throw new Error("its inference-header-content-length is wrong");
  const [json, binary] = [bytes.subarray(0, length), bytes.subarray(length)];
  const later = laterIn(json);
  const document = parseDocument(json, later);
  if (Array.isArray(document)) return readFields({ predictions: json }, later);
  if (!isFields(document)) throw new Error("it is not a JSON object");
  const { outputs } = document;
  const tensors = outputs instanceof Uint8Array ? readTensors(outputs, binary) : undefined;
  return tensors ?? readFields(document, later);
};

const readCall = async (read: ReadMessages, { bytes, head }: Answer, most: number): Promise<Outputs> => {
  const coding = firstFieldOf(head.fields, "grpc-encoding") ?? "identity";
  const messages: Buffer[] = [];
  let left = most;
  for (const { compressed, message } of splitMessages(bytes)) {
    const plain = await decode(message, compressed ? coding : "identity", left);
    left -= plain.length;
    messages.push(plain);
  }
  return read(messages, most);
};

type Decode = (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ["gzip", promisify(gunzip)],
  ["x-gzip", promisify(gunzip)],
  ["deflate", promisify(inflate)],
  ["br", promisify(brotliDecompress)],
  ["zstd", promisify(zstdDecompress)],
]);

const decode = async (bytes: Buffer, coding: string, most: number): Promise<Buffer> => {
  const decoder = coding === "identity" || coding === "" ? undefined : DECODERS.get(coding);
  if (decoder === undefined && coding !== "identity" && coding !== "")
    throw new Error(`it is encoded as ${coding.slice(0, 40)}`);
  const plain = decoder === undefined ? bytes : await decoder(bytes, { maxOutputLength: Math.max(1, most) });
  if (plain.length > most) throw new Error(`it has more than ${most} bytes`);
  return plain;
};
