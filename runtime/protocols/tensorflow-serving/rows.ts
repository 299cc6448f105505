/** Which row of an answer is whose: of the instances of :predict, and of the examples of :classify and :regress. */
import { invalid, RequestError } from "../../errors/request-error.ts";
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
 * before an output is first asked for by several rows of a shape, the first of them runs alone: the output must then have one row.
 * Of a shape, since the length of a text may be the first dimension of what is turned over.
 */
export const createPairing = (model: Model): Pairing => {
  const infos = new Map(model.inputs.map((info) => [info.name, info]));
  /** By the shape of a row: the shape for one row of each output that was seen. */
  const known = new Map<string, Map<string, readonly number[]>>();
  const keyOf = createKeys(model);
  const checkSeen = (
    alone: ReadonlyMap<string, readonly number[]>,
    outputs: readonly string[],
    advice: string,
  ): void => {
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
      const key = keyOf(inputs, byRow);
      const alone = known.get(key) ?? new Map<string, readonly number[]>();
      if (outputs.every((name) => alone.has(name))) {
        checkSeen(alone, outputs, advice);
        return undefined;
      }
      const unseen = outputs.filter((name) => !alone.has(name));
      return runFirst(run, inputs, byRow, unseen, advice).then((answers) => {
        for (const [name, { shape }] of answers) alone.set(name, shape);
        if (known.size >= MOST_KNOWN) known.clear();
        known.set(key, alone);
        checkSeen(alone, outputs, advice);
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

/** Shapes of rows that are remembered: as many as texts have lengths. */
const MOST_KNOWN = 2048;

/** What outputs may depend on besides the number of rows: the sizes that are open in a row. */
const createKeys = ({ inputs }: Model): ((tensors: RowRequest["inputs"], byRow: ReadonlySet<string>) => string) => {
  const open = inputs.filter(({ anyRank, shape }) => anyRank === true || shape.indexOf(null, 1) > 0);
  if (open.length === 0) return () => "";
  return (tensors, byRow) => {
    let key = "";
    for (const { name } of open) {
      const shape = tensors.get(name)?.shape ?? [];
      for (let axis = byRow.has(name) ? 1 : 0; axis < shape.length; axis++) key += `${shape[axis]},`;
      key += ";";
    }
    return key;
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
  throw new Error(`the model computed no output "${name}"`);
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
