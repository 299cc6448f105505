import type { Tensor, TensorInfo } from "../tensors/index.ts";

/**
 * Whose fault a failed run is. onnxruntime's words alone do not tell: a model's own broken Reshape speaks of shapes, too, and
 * as a client's fault it would vanish from the rates that rollouts look at. What decides is what was checked and what has passed.
 */
export type Blame = "input" | "internal";

/** What is known beside onnxruntime's message. */
export type Circumstances = {
  /** An input has another type, or another size, than the model declares. */
  undeclared: boolean;
  /** The client chose a size that the model leaves open, and no run with these sizes has passed while another one has. */
  newSizes: boolean;
  /** Open dimensions to which the model gives one name have different sizes. */
  unequalSizes: boolean;
  /** There is an input of whole numbers, which may be indices. */
  wholeNumbers: boolean;
  /** One of them is a number or a list, which may be a size, an axis or a count. */
  shortWholeNumbers: boolean;
};

const RESOURCES = /alloc|memory|CUDA|cudnn|device/i;
const INDICES = /out of (?:data )?bounds|out of range|indices/i;
const SIZES = /shape|dimension|broadcast|reshape|\brank\b|\baxis\b|\baxes\b/i;

export const blameOf = (message: string, about: Circumstances): Blame => {
  if (RESOURCES.test(message)) return "internal";
  if (about.undeclared) return "input";
  if (INDICES.test(message) && about.wholeNumbers) return "input";
  const chosen = about.newSizes || about.unequalSizes || about.shortWholeNumbers;
  return SIZES.test(message) && chosen ? "input" : "internal";
};

const WHOLE: ReadonlySet<string> = new Set(["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"]);
/** Clients choose sizes; more than these are not remembered. */
const MOST_PASSED = 32;

/** Watches the runs of a model with these inputs. */
export const createBlame = (inputs: readonly TensorInfo[]) => {
  const open = inputs.some(({ shape, anyRank }) => anyRank === true || shape.includes(null));
  const whole = inputs.filter(({ datatype }) => WHOLE.has(datatype));
  /** The sizes of runs that passed, each input's with its rank, the last one first. */
  const passed: number[][] = [];
  const scratch: number[] = [];
  const sizesOf = (tensors: ReadonlyMap<string, Tensor>): readonly number[] => {
    scratch.length = 0;
    for (const { name } of inputs) {
      const { shape = [] } = tensors.get(name) ?? {};
      scratch.push(shape.length);
      for (const size of shape) scratch.push(size);
    }
    return scratch;
  };
  return {
    passed(tensors: ReadonlyMap<string, Tensor>): void {
      if (!open) return;
      const sizes = sizesOf(tensors);
      if (passed.some((other) => equal(other, sizes))) return;
      passed.unshift([...sizes]);
      passed.length = Math.min(passed.length, MOST_PASSED);
    },
    of(message: string, tensors: ReadonlyMap<string, Tensor>): Blame {
      const sizes = sizesOf(tensors);
      return blameOf(message, {
        undeclared: inputs.some((info) => !fits(info, tensors.get(info.name))),
        newSizes: open && passed.length > 0 && !passed.some((other) => equal(other, sizes)),
        unequalSizes: hasUnequalSizes(inputs, tensors),
        wholeNumbers: whole.length > 0,
        shortWholeNumbers: whole.some(({ shape }) => shape.length < 2),
      });
    },
  };
};

const equal = (one: readonly number[], other: readonly number[]): boolean => {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
};

const hasUnequalSizes = (inputs: readonly TensorInfo[], tensors: ReadonlyMap<string, Tensor>): boolean => {
  const known = new Map<string, number>();
  for (const { name, symbols } of inputs) {
    for (const [i, symbol] of symbols.entries()) {
      const size = tensors.get(name)?.shape[i];
      if (symbol === null || size === undefined) continue;
      if (known.has(symbol) && known.get(symbol) !== size) return true;
      known.set(symbol, size);
    }
  }
  return false;
};

/** Whether a tensor is what the model declares of this input. One that was left out may have a value in the model. */
const fits = ({ datatype, shape, anyRank }: TensorInfo, tensor: Tensor | undefined): boolean => {
  if (tensor === undefined) return true;
  if (anyRank === true) return tensor.datatype === datatype;
  if (tensor.datatype !== datatype || tensor.shape.length !== shape.length) return false;
  for (let i = 0; i < shape.length; i++) if (shape[i] !== null && shape[i] !== tensor.shape[i]) return false;
  return true;
};
