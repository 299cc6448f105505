/** Reshape and its kin: the elements stay, their places change. */
import { axesOf, axisIn, type Call, input, intOf, intsOf, type Rule, shapeOf, sizes } from "../call.ts";
import { MAX_FOLDED } from "../fold-places.ts";
import { constant, divide, equal, isConstant, isNumber, isSized, ONE, product, type Term } from "../terms.ts";
import { fixed, type Rows, refuse, type Tensor, withRows } from "../values.ts";

const productOf = ({ symbols }: Call, terms: readonly Term[]): Term =>
  product(symbols, terms) ?? refuse("sizes are multiplied that hold the number of rows more than once");

/** How many elements of a row lie before and behind the batch, over all axes. */
const around = (call: Call, shape: readonly Term[], { axis, outer, inner }: Rows) => ({
  before: productOf(call, [...shape.slice(0, axis), outer]),
  behind: productOf(call, [inner, ...shape.slice(axis + 1)]),
});

/**
 * Rows of `x` in the shape `target`, in which at most one size is undefined: whatever is left. The batch must be in one size,
 * with as many elements before it as before: those behind it are then the same ones, too.
 */
const replaced = (call: Call, x: Tensor, rows: Rows, target: readonly (Term | undefined)[]): Tensor => {
  const { before, behind } = around(call, shapeOf(x), rows);
  const open = target.indexOf(undefined);
  let axis = target.findIndex((size) => size !== undefined && isSized(size));
  if (axis < 0) axis = open;
  if (axis < 0) return refuse("its new shape has no place for the rows of more than one request");
  const left = target.slice(0, axis);
  const right = target.slice(axis + 1);
  const known = (list: readonly (Term | undefined)[]): Term[] => list.filter((size) => size !== undefined);
  const mixed = (): never => refuse("its new shape is not shown to keep the elements of a row together");
  let outer: Term | undefined;
  let inner: Term | undefined;
  if (axis === open) {
    outer = divide(before, productOf(call, known(left))) ?? mixed();
    inner = divide(behind, productOf(call, known(right))) ?? mixed();
  } else {
    const size = target[axis] ?? ONE;
    if (size.n !== 1) mixed();
    const perRow: Term = { ...size, n: 0 };
    if (open >= 0 && open < axis) {
      inner = divide(behind, productOf(call, known(right))) ?? mixed();
      outer = divide(perRow, inner) ?? mixed();
    } else {
      outer = divide(before, productOf(call, known(left))) ?? mixed();
      inner = divide(perRow, outer) ?? mixed();
    }
  }
  const own = productOf(call, [outer, { c: 1, n: 1, symbols: [] }, inner]);
  const all = productOf(call, [before, behind]);
  const shape = target.map((size, at) => {
    if (at === axis) return own;
    if (size !== undefined) return size;
    const others = productOf(call, [outer, inner, ...known(left), ...known(right)]);
    return divide(all, others) ?? call.symbols.fresh();
  });
  return withRows(x.type, shape, { axis, outer, inner });
};

/** Reshape: 0 takes the size of the same axis (unless `allowzero`), -1 what is left. */
const reshape: Rule = (call) => {
  const x = input(call, 0);
  const given = call.inputs[1]?.data ?? sizesOf(intsOf(call, "shape"));
  if (given === undefined) {
    if (x.rows !== undefined) refuse("its new shape is not known before the run");
    return [fixed(x.type, undefined)];
  }
  const keepsZero = intOf(call, "allowzero") === 1;
  const target = given.map((size, at) => {
    if (isNumber(size, -1)) return undefined;
    if (!keepsZero && isNumber(size, 0)) return shapeOf(x)[at] ?? refuse("its new shape has more axes than it");
    // it could be -1 or 0, which mean something else
    return size.symbols.some((symbol) => symbol < 0) && !isSized(size) ? call.symbols.fresh() : size;
  });
  return [toShape(call, x, target)];
};
const sizesOf = (list: readonly number[] | undefined): readonly Term[] | undefined => list && sizes(list);

const toShape = (call: Call, x: Tensor, target: readonly (Term | undefined)[]): Tensor => {
  if (x.rows !== undefined) return replaced(call, x, x.rows, target);
  if (target.some((size) => size !== undefined && isSized(size))) {
    refuse("a tensor that is the same for all requests is given a shape that holds the number of rows");
  }
  const known = target.filter((size) => size !== undefined);
  const all = x.shape && product(call.symbols, x.shape);
  const left = all && divide(all, product(call.symbols, known) ?? ONE);
  return fixed(
    x.type,
    target.map((size) => size ?? left ?? call.symbols.fresh()),
  );
};

const flatten: Rule = (call) => {
  const x = input(call, 0);
  if (x.rows === undefined && x.shape === undefined) return [fixed(x.type, undefined)];
  const shape = shapeOf(x);
  const axis = intOf(call, "axis") ?? 1;
  const at = axis < 0 ? axis + shape.length : axis;
  if (at < 0 || at > shape.length) refuse(`axis ${axis} is not one of ${shape.length}`);
  const left = productOf(call, shape.slice(0, at));
  const right = productOf(call, shape.slice(at));
  const flat = x.rows === undefined ? fixed(x.type, [left, right]) : replaced(call, x, x.rows, [left, right]);
  if (x.filling === undefined) return [flat];
  // words of one text stay next to each other; those of two would have more or less filling in between
  if (at !== 1 || !shape.slice(1, -1).every((size) => isNumber(size, 1)))
    refuse("it joins texts that are filled up to the longest of the run");
  return [{ ...flat, filling: x.filling }];
};

const moved = (x: Tensor, shape: readonly Term[], axis: (from: number) => number): Tensor =>
  x.rows === undefined
    ? fixed(x.type, shape, undefined)
    : withRows(x.type, shape, { ...x.rows, axis: axis(x.rows.axis) });

const transpose: Rule = (call) => {
  const x = input(call, 0);
  if (x.rows === undefined && x.shape === undefined) return [fixed(x.type, undefined)];
  const shape = shapeOf(x);
  const perm = intsOf(call, "perm") ?? shape.map((_, i) => shape.length - 1 - i);
  if (perm.length !== shape.length || new Set(perm).size !== perm.length)
    refuse("its permutation does not fit its rank");
  return [
    moved(
      x,
      perm.map((from) => shape[axisIn(from, shape.length)] ?? ONE),
      (from) => perm.indexOf(from),
    ),
  ];
};

const squeeze: Rule = (call) => {
  const x = input(call, 0);
  const axes = axesOf(call, 1);
  if (x.rows === undefined && (x.shape === undefined || axes === undefined)) return [fixed(x.type, undefined)];
  const shape = shapeOf(x);
  if (axes === undefined)
    return refuse("without axes it drops the batch, too, where one row comes alone; give it axes");
  const gone = new Set(axes.map((axis) => axisIn(axis, shape.length)));
  if (x.rows !== undefined && gone.has(x.rows.axis)) refuse("it drops the axis of the batch");
  const kept = shape.filter((_, at) => !gone.has(at));
  return [moved(x, kept, (from) => from - [...gone].filter((at) => at < from).length)];
};

const unsqueeze: Rule = (call) => {
  const x = input(call, 0);
  if (x.rows === undefined && x.shape === undefined) return [fixed(x.type, undefined)];
  const shape = shapeOf(x);
  const axes = axesOf(call, 1) ?? refuse("it has no axes");
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => axisIn(axis, rank)));
  const from = Array.from({ length: rank }, (_, at) => at).filter((at) => !added.has(at));
  const places = new Map(from.map((at, i) => [at, i]));
  return [
    moved(
      x,
      Array.from({ length: rank }, (_, at) => shape[places.get(at) ?? -1] ?? ONE),
      (axis) => from[axis] ?? axis,
    ),
  ];
};

/** The number of rows goes into the shape of something that is the same for all: a row of it for each. */
const rowsOfShape = (type: number, shape: readonly Term[]): Tensor => {
  const axes = shape.flatMap((size, at) => (isSized(size) ? [at] : []));
  const [axis] = axes;
  if (axis === undefined) return fixed(type, shape);
  const size = shape[axis] ?? ONE;
  if (axes.length > 1 || size.n !== 1) refuse("its shape holds the number of rows more than once");
  return withRows(type, shape, { axis, outer: ONE, inner: divide(size, { c: 1, n: 1, symbols: [] }) ?? ONE });
};

const constantOfShape: Rule = (call) => {
  const given = input(call, 0);
  const value = call.node.attributes.get("value");
  const type = value?.kind === "tensor" ? value.value.type : 1;
  if (given.rows !== undefined) refuse("its shape comes from the values of rows");
  if (given.data === undefined) return [fixed(type, undefined)];
  const result = rowsOfShape(type, given.data);
  const filling = value?.kind === "tensor" ? value.value.values?.[0] : 0;
  const counts = given.data.every(isConstant) ? given.data.map(({ c }) => c) : undefined;
  const count = counts?.reduce((all, size) => all * size, 1) ?? MAX_FOLDED + 1;
  if (filling === undefined || count > MAX_FOLDED || count < 0) return [result];
  return [{ ...result, data: Array.from({ length: count }, () => constant(filling)) }];
};

const expand: Rule = (call) => {
  const x = input(call, 0);
  const given = call.inputs[1];
  if (given?.rows !== undefined) refuse("its shape comes from the values of rows");
  if (given?.data === undefined || (x.shape === undefined && x.rows === undefined)) {
    if (x.rows !== undefined) refuse("its new shape is not known before the run");
    return [fixed(x.type, undefined)];
  }
  const { data } = given;
  const shape = shapeOf(x);
  const rank = Math.max(shape.length, data.length);
  const at = (list: readonly Term[], axis: number): Term => list[axis - rank + list.length] ?? ONE;
  const own = x.rows && x.rows.axis + rank - shape.length;
  const wider = Array.from({ length: rank }, (_, axis): Term => {
    const [from, to] = [at(shape, axis), at(data, axis)];
    if (axis === own) {
      if (!isNumber(to, 1) && !equal(from, to)) refuse("its new shape is not shown to keep the rows as they are");
      return from;
    }
    if (equal(from, to) || isNumber(to, 1)) return from;
    if (isNumber(from, 1)) return to;
    if (isSized(to)) refuse("it has a size of its own where the number of rows is to be");
    return call.symbols.derived("broadcast", [from, to], true) ?? call.symbols.fresh();
  });
  if (x.rows === undefined) return [rowsOfShape(x.type, wider)];
  if (wider.some((size, axis) => axis !== own && isSized(size)))
    refuse("its shape holds the number of rows more than once");
  return [withRows(x.type, wider, { ...x.rows, axis: own ?? 0 })];
};

const tile: Rule = (call) => {
  const x = input(call, 0);
  const given = call.inputs[1];
  if (given?.rows !== undefined) refuse("how often it repeats comes from the values of rows");
  const repeats = given?.data;
  if (repeats === undefined || (x.shape === undefined && x.rows === undefined)) {
    if (x.rows !== undefined) refuse("how often it repeats is not known before the run");
    return [fixed(x.type, undefined)];
  }
  const shape = shapeOf(x);
  if (repeats.length !== shape.length) refuse("it does not say for each axis how often to repeat");
  if (x.rows !== undefined && !isNumber(repeats[x.rows.axis], 1)) refuse("it repeats the batch");
  const wider = shape.map((size, at) => productOf(call, [size, repeats[at] ?? ONE]));
  if (x.rows === undefined) return [rowsOfShape(x.type, wider)];
  return [withRows(x.type, wider, x.rows)];
};

export const SHAPE_RULES: Readonly<Record<string, Rule>> = {
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  ConstantOfShape: constantOfShape,
  Expand: expand,
  Tile: tile,
};
