/**
 * What the door and a shard tell each other about a run, as bytes. Both are processes of one machine and one version.
 *
 * A frame is a head of 64-bit floats and then its data, each piece at a multiple of eight bytes:
 *   [kind, bytes of the whole frame, numbers in the head, …]
 *   job:      …, number of inputs, number of outputs, an index for each output, and for each input: index, bytes, rank, sizes
 *   answer:   …, milliseconds of the run, and for each output that was asked for: bytes, rank, sizes
 *   refusal:  …, 1 where the input is to blame, bytes of the message
 *   control:  …, bytes of a text in JSON
 * Inputs and outputs are numbered as in the model, which both sides know: no names travel.
 */
import { InferenceError } from "../../engine/errors.ts";
import { DATATYPES, elementCount, type Tensor, type TensorInfo } from "../../tensors/index.ts";
import type { Job, JobResult } from "./types.ts";

const JOB = 1;
const ANSWER = 2;
const REFUSAL = 3;
const CONTROL = 4;

/** Node reads and writes at most this many bytes in one call. */
export const MAX_FRAME_BYTES = 2 ** 31 - 8;
/** Far more than the heads of real models; the numbers of a head are read before they are trusted. */
const MAX_HEAD_NUMBERS = 65_536;
const MAX_RANK = 1024;
/** Pieces up to this size go with the head into one buffer: to copy them costs less than to hand each to the kernel. */
const SMALL_BYTES = 4096;

/** The other side does not keep to the form of frames. */
export class MalformedFrame extends Error {}

/** The head's first two numbers: what must be there to know how long a frame is. */
export const PRELUDE_BYTES = 16;

export const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** The length of the frame that begins with these bytes, which are at a multiple of eight. Throws MalformedFrame. */
export const frameLength = (bytes: Uint8Array, most: number): number => {
  const length = new Float64Array(bytes.buffer, bytes.byteOffset, 2)[1] ?? Number.NaN;
  if (!Number.isInteger(length) || length % 8 !== 0 || length < 3 * 8) {
    throw new MalformedFrame(`a frame cannot have ${length} bytes`);
  }
  if (length > most) throw new MalformedFrame(`a frame of ${length} bytes is longer than ${most}`);
  return length;
};

export type Model = { inputs: readonly TensorInfo[]; outputs: readonly TensorInfo[] };

/**
 * Makes frames of jobs. The pieces are to be written in order; small ones are collected in a buffer that is used again, so
 * the pieces of one frame must have been written before the next is made. Throws an InferenceError.
 */
export const jobEncoder = (model: Model): ((job: Job) => Uint8Array[]) => {
  const inputs = indexes(model.inputs);
  const outputs = indexes(model.outputs);
  const collect = createCollector();
  return (job) => {
    let numbers = 5 + job.outputs.length;
    for (const { shape } of job.inputs) numbers += 3 + shape.length;
    const head = collect.head(numbers);
    let at = 3;
    head[at++] = job.inputs.length;
    head[at++] = job.outputs.length;
    for (const name of job.outputs) head[at++] = indexIn(outputs, name);
    for (const { name, shape, parts } of job.inputs) {
      head[at++] = indexIn(inputs, name);
      let bytes = 0;
      for (const part of parts) {
        bytes += part.length;
        collect.add(part);
      }
      collect.align();
      head[at++] = bytes;
      head[at++] = shape.length;
      for (const size of shape) head[at++] = size;
    }
    return collect.finish(JOB, () => new InferenceError("input", "the inputs of one run are larger than 2 GiB"));
  };
};

/** Makes frames of answers. As `jobEncoder`. */
export const answerEncoder = (): ((outputs: ReadonlyMap<string, Tensor>, runMs: number) => Uint8Array[]) => {
  const collect = createCollector();
  return (outputs, runMs) => {
    let numbers = 4;
    for (const { shape } of outputs.values()) numbers += 2 + shape.length;
    const head = collect.head(numbers);
    let at = 3;
    head[at++] = runMs;
    for (const { shape, bytes } of outputs.values()) {
      head[at++] = bytes.length;
      head[at++] = shape.length;
      for (const size of shape) head[at++] = size;
      collect.add(bytes);
      collect.align();
    }
    return collect.finish(ANSWER, () => new InferenceError("internal", "the outputs of one run are larger than 2 GiB"));
  };
};

export const encodeRefusal = ({ blame, message }: InferenceError): Uint8Array =>
  textFrame(REFUSAL, [blame === "input" ? 1 : 0], message);

export const encodeControl = (message: unknown): Uint8Array => textFrame(CONTROL, [], JSON.stringify(message));

const textFrame = (kind: number, numbers: readonly number[], text: string): Uint8Array => {
  const encoded = Buffer.from(text);
  const head = Float64Array.of(kind, 0, 4 + numbers.length, ...numbers, encoded.length);
  const frame = new Uint8Array(head.byteLength + aligned(encoded.length));
  head[1] = frame.length;
  frame.set(new Uint8Array(head.buffer));
  frame.set(encoded, head.byteLength);
  return frame;
};

export type DecodedJob = { inputs: Map<string, Tensor>; outputs: string[] };

/** The tensors are views of the frame, which is whole and at a multiple of eight. Throws MalformedFrame. */
export const decodeJob = (frame: Uint8Array, model: Model): DecodedJob => {
  const { head, end } = openFrame(frame, JOB);
  const [, , , inputCount = 0, outputCount = 0] = head;
  const outputs: string[] = [];
  let at = 5;
  for (let i = 0; i < outputCount; i++) {
    const info = model.outputs[head[at++] ?? -1];
    if (info === undefined) throw new MalformedFrame("a job names an output that the model does not have");
    outputs.push(info.name);
  }
  const inputs = new Map<string, Tensor>();
  let from = end;
  for (let i = 0; i < inputCount; i++) {
    const info = model.inputs[head[at++] ?? -1];
    if (info === undefined) throw new MalformedFrame("a job names an input that the model does not have");
    const tensor = readTensor(frame, head, at, from, info);
    inputs.set(info.name, tensor);
    at += 2 + tensor.shape.length;
    from += aligned(tensor.bytes.length);
  }
  return { inputs, outputs };
};

/** What an answer to a job that asked for `outputs` holds: the result, or why there is none. As `decodeJob`. */
export const answerDecoder = (
  model: Model,
): ((frame: Uint8Array, outputs: readonly string[]) => JobResult | InferenceError) => {
  const infos = new Map(model.outputs.map((info) => [info.name, info]));
  return (frame, names) => {
    if (kindOf(frame) === REFUSAL) {
      const { head } = openFrame(frame, REFUSAL);
      return new InferenceError(head[3] === 1 ? "input" : "internal", textOf(frame, head, 4));
    }
    const { head, end } = openFrame(frame, ANSWER);
    const outputs = new Map<string, Tensor>();
    let at = 4;
    let from = end;
    for (const name of names) {
      const info = infos.get(name);
      if (info === undefined) throw new MalformedFrame("an output was asked for that the model does not have");
      const tensor = readTensor(frame, head, at, from, info);
      outputs.set(name, tensor);
      at += 2 + tensor.shape.length;
      from += aligned(tensor.bytes.length);
    }
    return { outputs, runMs: head[3] ?? 0 };
  };
};

/** The JSON of a control frame, or undefined where the frame is of another kind. Throws MalformedFrame. */
export const decodeControl = (frame: Uint8Array): unknown => {
  if (kindOf(frame) !== CONTROL) return undefined;
  const { head } = openFrame(frame, CONTROL);
  try {
    return JSON.parse(textOf(frame, head, 3));
  } catch {
    throw new MalformedFrame("a control frame holds no JSON");
  }
};

const kindOf = (frame: Uint8Array): number | undefined => new Float64Array(frame.buffer, frame.byteOffset, 1)[0];

const openFrame = (frame: Uint8Array, kind: number): { head: Float64Array; end: number } => {
  const [found, , numbers = Number.NaN] = new Float64Array(frame.buffer, frame.byteOffset, 3);
  if (found !== kind) throw new MalformedFrame(`a frame is of kind ${found}, not ${kind}`);
  const fits = Number.isInteger(numbers) && numbers >= 3 && numbers <= MAX_HEAD_NUMBERS && numbers * 8 <= frame.length;
  if (!fits) throw new MalformedFrame(`the head of a frame cannot have ${numbers} numbers`);
  return { head: new Float64Array(frame.buffer, frame.byteOffset, numbers), end: numbers * 8 };
};

/** The tensor whose bytes, rank and sizes are in the head from `at`, and whose data are in the frame from `from`. */
const readTensor = (frame: Uint8Array, head: Float64Array, at: number, from: number, info: TensorInfo): Tensor => {
  const bytes = head[at] ?? Number.NaN;
  const rank = head[at + 1] ?? Number.NaN;
  if (!(Number.isInteger(rank) && rank >= 0 && rank <= MAX_RANK && at + 2 + rank <= head.length)) {
    throw new MalformedFrame(`"${info.name}" cannot have ${rank} dimensions`);
  }
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) {
    const size = head[at + 2 + i] ?? Number.NaN;
    if (!Number.isSafeInteger(size) || size < 0) throw new MalformedFrame(`"${info.name}" has a size of ${size}`);
    shape.push(size);
  }
  const fits = Number.isInteger(bytes) && bytes >= 0 && from + bytes <= frame.length;
  const count = elementCount(shape);
  const expected =
    count === undefined ? -1 : info.datatype === "BYTES" ? bytes : count * DATATYPES[info.datatype].bytes;
  if (!fits || bytes !== expected) {
    throw new MalformedFrame(`"${info.name}" of shape [${shape}] cannot have ${bytes} bytes`);
  }
  return { datatype: info.datatype, shape, bytes: frame.subarray(from, from + bytes) };
};

const textOf = (frame: Uint8Array, head: Float64Array, at: number): string => {
  const length = head[at] ?? Number.NaN;
  if (!(Number.isInteger(length) && length >= 0 && head.byteLength + length <= frame.length)) {
    throw new MalformedFrame(`a text cannot have ${length} bytes`);
  }
  return Buffer.from(frame.buffer, frame.byteOffset + head.byteLength, length).toString("utf8");
};

const indexes = (infos: readonly TensorInfo[]): ReadonlyMap<string, number> =>
  new Map(infos.map(({ name }, i) => [name, i]));

const indexIn = (known: ReadonlyMap<string, number>, name: string): number => {
  const index = known.get(name);
  if (index === undefined) throw new InferenceError("input", `the model has no tensor "${name}"`);
  return index;
};

const COLLECTED_BYTES = 64 * 1024;
const PADDING = new Uint8Array(8);

/** Collects the head and small pieces in one buffer; what is large is passed on as it is. */
const createCollector = () => {
  let buffer = new Uint8Array(COLLECTED_BYTES);
  let numbers = new Float64Array(buffer.buffer);
  let pieces: Uint8Array[] = [];
  /** The buffer is used up to `at`; the part from `open` on is in no piece yet. */
  let at = 0;
  let open = 0;
  let total = 0;
  const close = (): void => {
    if (at > open) pieces.push(buffer.subarray(open, at));
    open = at;
  };
  const add = (piece: Uint8Array): void => {
    total += piece.length;
    if (piece.length <= SMALL_BYTES && at + piece.length <= buffer.length) {
      buffer.set(piece, at);
      at += piece.length;
    } else if (piece.length > 0) {
      close();
      pieces.push(piece);
    }
  };
  return {
    /** Begins a frame: its head, of so many numbers, to be filled in before the frame is finished. */
    head(count: number): Float64Array {
      const bytes = count * 8;
      if (bytes > buffer.length) {
        buffer = new Uint8Array(aligned(bytes + COLLECTED_BYTES));
        numbers = new Float64Array(buffer.buffer);
      }
      numbers[2] = count;
      pieces = [];
      at = bytes;
      open = 0;
      total = bytes;
      return numbers;
    },
    add,
    align(): void {
      if (total % 8 !== 0) add(PADDING.subarray(0, 8 - (total % 8)));
    },
    finish(kind: number, tooLarge: () => Error): Uint8Array[] {
      if (total > MAX_FRAME_BYTES || (numbers[2] ?? 0) > MAX_HEAD_NUMBERS) throw tooLarge();
      numbers[0] = kind;
      numbers[1] = total;
      close();
      return pieces;
    },
  };
};
