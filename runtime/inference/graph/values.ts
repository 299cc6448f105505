import { equal, isSized, type Symbols, type Term } from "./terms.ts";

/**
 * Where the rows of a batch lie: along `axis`, whose size is outer · N · inner. What belongs to row n is at the places
 * (o · N + n) · inner + i, and depends on that row alone.
 */
export type Rows = { axis: number; outer: Term; inner: Term };

/** What is known of a tensor. Without `rows` and without sizes in `data` it is the same however requests are joined. */
export type Tensor = {
  /** TensorProto.DataType; 0 where unknown. */
  type: number;
  /** Undefined where not even the rank is known. */
  shape: readonly Term[] | undefined;
  rows: Rows | undefined;
  /** All elements, of small tensors that shapes and parameters are computed with. */
  data: readonly Term[] | undefined;
  /**
   * What fills up rows that are shorter than the longest of their run: the size of the last axis then depends on other
   * rows, and only what ignores the filling gives each row its own answer.
   */
  filling?: string;
};

/** A value of which it was not shown that rows stay apart. `at` names the node where that began. */
export type Unproved = { unproved: true; at: Cause };
/** `output`: the first of the node, which often has no name itself. */
export type Cause = { node: string; output: string; operator: string; domain: string; reason: string };

export type Value = Tensor | Unproved;

/** Thrown by rules: why a node keeps its rows from being shown apart. */
export class Refusal extends Error {}

export const refuse = (reason: string): never => {
  throw new Refusal(reason);
};

export const isUnproved = (value: Value): value is Unproved => "unproved" in value;
/** Whether its elements tell of the number of rows. */
export const isSizedTensor = ({ data }: Tensor): boolean => data?.some(isSized) ?? false;
export const isFixed = (tensor: Tensor): boolean => tensor.rows === undefined && !isSizedTensor(tensor);

export const fixed = (type: number, shape: readonly Term[] | undefined, data?: readonly Term[]): Tensor => ({
  type,
  shape,
  rows: undefined,
  data,
});

export const withRows = (type: number, shape: readonly Term[], rows: Rows): Tensor => ({
  type,
  shape,
  rows,
  data: undefined,
});

/** The same tensor with other sizes; its rows stay at their axis. */
export const reshaped = (x: Tensor, shape: readonly Term[] | undefined): Tensor => ({ ...x, shape, data: undefined });

export const sameRows = (one: Rows, other: Rows): boolean =>
  equal(one.outer, other.outer) && equal(one.inner, other.inner);

export const sameShape = (one: readonly Term[], other: readonly Term[]): boolean =>
  one.length === other.length && one.every((size, i) => equal(size, other[i] ?? size));

/** What holds of a value that is one of the two. */
export const either = (symbols: Symbols, one: Value, other: Value): Value => {
  if (isUnproved(one)) return one;
  if (isUnproved(other)) return other;
  const { shape, rows } = one;
  const type = one.type === other.type ? one.type : 0;
  if (rows === undefined && other.rows === undefined) {
    const same = one.data !== undefined && other.data !== undefined && sameShape(one.data, other.data);
    if (!same && (isSizedTensor(one) || isSizedTensor(other))) refuse("it depends on the number of rows");
    return fixed(type, joinShapes(symbols, shape, other.shape), same ? one.data : undefined);
  }
  if (one.filling !== other.filling) refuse("its rows are filled up in one case and not in the other");
  const held = rows ?? other.rows;
  const sizes = joinShapes(symbols, shape, other.shape);
  if (held === undefined || sizes === undefined) return refuse("its shape is not known");
  if (rows === undefined || other.rows === undefined || rows.axis !== other.rows.axis || !sameRows(rows, other.rows)) {
    return refuse("its rows lie along different axes");
  }
  const joined = withRows(type, sizes, held);
  return one.filling === undefined ? joined : { ...joined, filling: one.filling };
};

const joinShapes = (
  symbols: Symbols,
  one: readonly Term[] | undefined,
  other: readonly Term[] | undefined,
): readonly Term[] | undefined => {
  if (one === undefined || other === undefined || one.length !== other.length) return undefined;
  return one.map((size, i) => (equal(size, other[i] ?? size) ? size : symbols.fresh()));
};
