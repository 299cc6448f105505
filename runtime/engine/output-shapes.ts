import { DATATYPES, elementCount, type Tensor, type TensorInfo } from "../tensors/index.ts";
import type { WarmUp } from "./first-run.ts";
import type { Engine } from "./session.ts";

/** As in the first inference: no larger input is made up, and what is cut off here does not run. */
const MAX_ELEMENTS = 16 * 1024 ** 2;

/**
 * The outputs as the model gives them. A converter may declare a size that is not so (LightGBM's says `label` [1], whatever
 * it gives), which onnxruntime only warns of; whoever believed it would refuse the answer, or take it for one without a batch.
 * The same is true of an output whose shape is not declared at all, which onnxruntime calls []. Only outputs without any open
 * dimension are in doubt, and only where the inputs have an open first one: then one run with two rows shows it.
 * `warmUp`: what has run.
 */
export const givenOutputs = async (engine: Engine, warmUp: WarmUp): Promise<TensorInfo[]> => {
  const declared = [...engine.outputs];
  const isDoubtful = declared.some(({ shape }) => !shape.includes(null));
  if (!isDoubtful || warmUp.outcome !== "passed" || !engine.inputs.some(({ shape }) => shape[0] === null))
    return declared;
  const two = engine.inputs.map(({ name, datatype, shape }): [string, Tensor] => {
    const ran = warmUp.shapes[name] ?? [];
    const sizes = ran.map((size, axis) => (axis === 0 && shape[0] === null ? 2 * size : size));
    const count = Math.min(elementCount(sizes) ?? 0, MAX_ELEMENTS);
    const bytes = new Uint8Array(count * (datatype === "BYTES" ? 4 : DATATYPES[datatype].bytes));
    return [name, { datatype, shape: sizes, bytes }];
  });
  try {
    const answers = await engine.run(
      new Map(two),
      declared.map(({ name }) => name),
    );
    return declared.map((info) => believed(info, answers.get(info.name)?.shape));
  } catch {
    // what refuses two rows of zeros says nothing of its answers
    return declared;
  }
};

/** Open where what came is not what is declared. */
const believed = (info: TensorInfo, given: readonly number[] | undefined): TensorInfo => {
  const { shape, symbols } = info;
  if (given === undefined) return info;
  if (given.length !== shape.length) return { ...info, shape: given.map(() => null), symbols: given.map(() => null) };
  const isOpen = (axis: number): boolean => shape[axis] === null || shape[axis] !== given[axis];
  return {
    ...info,
    shape: shape.map((size, axis) => (isOpen(axis) ? null : size)),
    symbols: symbols.map((symbol, axis) => (shape[axis] === null ? symbol : null)),
  };
};
