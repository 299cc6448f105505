/** Which row of an answer is whose: of the instances of :predict, and of the examples of :classify and :regress. */
import { invalid, RequestError } from "../../inference/errors.ts";
import type { Model } from "../../inference/index.ts";
import { elementCount, type Tensor } from "../../tensors/index.ts";
import { showShape } from "./check.ts";

export type Run = (
  inputs: ReadonlyMap<string, Tensor>,
  outputs: readonly string[],
) => Promise<ReadonlyMap<string, Tensor>>;

/** Inputs with a row for each of `count` instances or examples in those `byRow`. */
export type RowRequest = { inputs: ReadonlyMap<string, Tensor>; byRow: ReadonlySet<string>; count: number };

/** `advice`: what to send instead, for the messages of both. */
export type Pairing = {
  /** Before a run: rejects where rows could not be told apart. Undefined where there is nothing to wait for. */
  show(run: Run, request: RowRequest, outputs: readonly string[], advice: string): Promise<void> | undefined;
  /** After it: throws where an output has not a row for each. */
  check(results: ReadonlyMap<string, Tensor>, count: number, outputs: readonly string[], advice: string): void;
};

/**
 * Answers rows so that each output has one for each, in their order, or refuses them: an output whose first dimension is none of the batch,
 * such as [targets, n, classes], may happen to be as long as there are rows, and a model's declarations often do not tell. So
 * before an output is first asked for by several rows, the first of them runs alone: the output must then have one row.
 */
export const createPairing = (model: Model): Pairing => {
  const infos = new Map(model.inputs.map((info) => [info.name, info]));
  /** Of each output that was seen: its shape for one row. */
  const alone = new Map<string, readonly number[]>();
  const checkSeen = (outputs: readonly string[], advice: string): void => {
    for (const name of outputs) {
      const shape = alone.get(name) ?? [];
      if (shape[0] !== 1) throw unpaired(name, shape, 1, advice);
    }
  };
  return {
    show(run, { inputs, byRow, count }, outputs, advice) {
      if (count === 1) return undefined;
      for (const name of byRow) {
        const size = infos.get(name)?.shape[0];
        if (typeof size !== "number") continue;
        throw invalid(
          `input "${name}" has always ${size} rows, so that the answers to each of them cannot be told apart; ${advice}`,
        );
      }
      if (outputs.every((name) => alone.has(name))) {
        checkSeen(outputs, advice);
        return undefined;
      }
      const unseen = outputs.filter((name) => !alone.has(name));
      return runFirst(run, inputs, byRow, unseen, advice).then((answers) => {
        for (const [name, { shape }] of answers) alone.set(name, shape);
        checkSeen(outputs, advice);
      });
    },
    check(results, count, outputs, advice) {
      for (const name of outputs) {
        const { shape } = results.get(name) ?? missing(name);
        if (shape[0] !== count) throw unpaired(name, shape, count, advice);
      }
    },
  };
};

/** Both, and the run between them. */
export const runRows = async (
  { show, check }: Pairing,
  run: Run,
  request: RowRequest,
  outputs: readonly string[],
  advice: string,
): Promise<ReadonlyMap<string, Tensor>> => {
  await show(run, request, outputs, advice);
  const results = await run(request.inputs, outputs);
  check(results, request.count, outputs, advice);
  return results;
};

const runFirst = async (
  run: Run,
  inputs: ReadonlyMap<string, Tensor>,
  byRow: ReadonlySet<string>,
  outputs: readonly string[],
  advice: string,
): Promise<ReadonlyMap<string, Tensor>> => {
  const one = new Map([...inputs].map(([name, tensor]) => [name, byRow.has(name) ? firstRow(tensor) : tensor]));
  try {
    return await run(one, outputs);
  } catch (error) {
    if (!(error instanceof RequestError) || (error.code !== "InvalidArgument" && error.code !== "Internal"))
      throw error;
    throw new RequestError(
      error.code,
      `one row alone does not run, so that the answers to each cannot be told apart; ${advice}. It failed: ${error.message}`,
    );
  }
};

const firstRow = (tensor: Tensor): Tensor => {
  const [from = 0, to = 0] = rowStarts(tensor);
  return { ...tensor, shape: [1, ...tensor.shape.slice(1)], bytes: tensor.bytes.subarray(from, to) };
};

const unpaired = (name: string, shape: readonly number[], count: number, advice: string): RequestError => {
  const rows = count === 1 ? "1 row" : `${count} rows`;
  return invalid(
    `output "${name}" has the shape ${showShape(shape)} for ${rows}: its first dimension is not that of the rows; ${advice}`,
  );
};

const missing = (name: string): never => {
  throw new Error(`the model gave no output "${name}"`);
};

/** Where in its bytes each row of a tensor begins, and where the last one ends. */
export const rowStarts = ({ datatype, shape, bytes }: Tensor): number[] => {
  const [rows = 0] = shape;
  if (datatype !== "BYTES") return Array.from({ length: rows + 1 }, (_, row) => (row * bytes.length) / rows);
  const perRow = elementCount(shape.slice(1)) ?? 0;
  let at = 0;
  return Array.from({ length: rows + 1 }, () => {
    const start = at;
    // a text is its length in four bytes, and so many bytes
    for (let i = 0; i < perRow && at < bytes.length; i++) at += 4 + sizeAt(bytes, at);
    return start;
  });
};

const sizeAt = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
