/** Products of matrices. */
import { broadcast } from "../broadcast.ts";
import { type Call, input, intOf, type Rule, shapeOf, stringOf } from "../call.ts";
import { isNumber, ONE, type Term } from "../terms.ts";
import { fixed, type Rows, refuse, sameRows, type Tensor, withRows } from "../values.ts";

const contracted = (): never => refuse("it sums over the batch");

/** Where rows of both sides must come to lie together. */
const meet = (one: Rows | undefined, other: Rows | undefined): Rows | undefined => {
  if (one === undefined || other === undefined) return one ?? other;
  if (one.axis !== other.axis || !sameRows(one, other)) return refuse("it combines every row with all rows");
  return one;
};

const swapped = (x: Tensor): Tensor => {
  const shape = shapeOf(x);
  const last = shape.length - 1;
  const turn = (axis: number): number => (axis === last ? last - 1 : axis === last - 1 ? last : axis);
  const turned = shape.map((_, axis) => shape[turn(axis)] ?? ONE);
  return x.rows === undefined
    ? fixed(x.type, turned)
    : withRows(x.type, turned, { ...x.rows, axis: turn(x.rows.axis) });
};

/** `type`: of the result; undefined: as the first input. */
export const product = (call: Call, one: Tensor, other: Tensor, type = one.type): Tensor => {
  if ([one, other].every(({ rows }) => rows === undefined) && [one, other].some(({ shape }) => shape === undefined)) {
    return fixed(type, undefined);
  }
  const [left, right] = [shapeOf(one), shapeOf(other)];
  if (left.length === 0 || right.length === 0) refuse("it multiplies by a number where a matrix is due");
  // a vector has no axis of its own in the result
  const one2 = left.length === 1;
  const other2 = right.length === 1;
  const outerOf = (tensor: Tensor, shape: readonly Term[]): Tensor => {
    const sizes = shape.slice(0, -2);
    const own = tensor.rows !== undefined && tensor.rows.axis < sizes.length ? tensor.rows : undefined;
    return own === undefined ? fixed(0, sizes) : withRows(0, sizes, own);
  };
  if (one.rows?.axis === left.length - 1) contracted();
  if (other.rows?.axis === (other2 ? 0 : right.length - 2)) contracted();
  const outer = broadcast(call.symbols, [outerOf(one, left), outerOf(other, right)]) ?? refuse("its rank is not known");
  const shape = [...outer.shape];
  const rank = outer.shape.length;
  const ownRows = (rows: Rows | undefined, at: number, to: number): Rows | undefined =>
    rows?.axis === at ? { ...rows, axis: to } : undefined;
  const m = one2 ? undefined : ownRows(one.rows, left.length - 2, rank);
  const n = other2 ? undefined : ownRows(other.rows, right.length - 1, rank + (one2 ? 0 : 1));
  if (!one2) shape.push(left.at(-2) ?? ONE);
  if (!other2) shape.push(right.at(-1) ?? ONE);
  const rows = meet(meet(outer.rows, m), n);
  return rows === undefined ? fixed(type, shape) : withRows(type, shape, rows);
};

/** `extra`: zero points and scales behind the matrices must be numbers that hold for all rows. */
export const matMul =
  (type?: number): Rule =>
  (call) => {
    const [one, other] = [input(call, 0), input(call, 1)];
    return [product(call, one, other, type ?? one.type)];
  };

const isOn = (call: Call, name: string): boolean => (intOf(call, name) ?? 0) !== 0;

export const fusedMatMul: Rule = (call) => {
  if (isOn(call, "transBatchA") || isOn(call, "transBatchB")) refuse("it exchanges the batch with another axis");
  const one = isOn(call, "transA") ? swapped(input(call, 0)) : input(call, 0);
  const other = isOn(call, "transB") ? swapped(input(call, 1)) : input(call, 1);
  return [product(call, one, other)];
};

export const gemm: Rule = (call) => {
  const [a, b] = [input(call, 0), input(call, 1)];
  const matrix = ({ shape }: Tensor): boolean => shape?.length === 2;
  if (a.rows === undefined && b.rows === undefined && !(matrix(a) && matrix(b))) return [fixed(a.type, undefined)];
  if (!matrix(a) || !matrix(b)) refuse("its inputs are no matrices");
  const result = product(call, isOn(call, "transA") ? swapped(a) : a, isOn(call, "transB") ? swapped(b) : b);
  const c = call.inputs[2];
  if (c === undefined) return [result];
  const sum = broadcast(call.symbols, [result, c]);
  if (sum === undefined || (sum.rows !== undefined && result.rows === undefined))
    refuse("what it adds has rows, and the product has none");
  return [result];
};

/** For the axes that "..." stands for: letters that no equation has. */
const NAMELESS = 0x100;

/** The letters of each operand and of the result; undefined where they do not fit the ranks. */
const lettersOf = (equation: string, ranks: readonly number[]): { terms: string[]; result: string } | undefined => {
  const [left = "", right, ...more] = equation.split("->");
  const named = left.split(",");
  if (more.length > 0 || named.length !== ranks.length) return undefined;
  if (![...named, right ?? ""].every((term) => /^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/.test(term))) return undefined;
  const counts = named.map((term, i) => (term.includes(".") ? (ranks[i] ?? 0) - term.length + 3 : 0));
  if (counts.some((count) => count < 0)) return undefined;
  const most = Math.max(...counts);
  const nameless = Array.from({ length: most }, (_, i) => String.fromCharCode(NAMELESS + i)).join("");
  // they are laid over each other from the last one on
  const terms = named.map((term, i) => term.replace("...", nameless.slice(most - (counts[i] ?? 0))));
  if (right !== undefined) return { terms, result: right.replace("...", nameless) };
  const letters = named.join("").replaceAll(".", "");
  const once = [...letters].filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter));
  return { terms, result: nameless + once.sort().join("") };
};

/** Sums of products by letters: the batch must keep a letter of its own. */
export const einsum: Rule = (call) => {
  const operands = call.inputs.filter((tensor) => tensor !== undefined);
  if (operands.every(({ rows }) => rows === undefined)) return [fixed(operands[0]?.type ?? 0, undefined)];
  const equation = (stringOf(call, "equation") ?? "").replaceAll(" ", "");
  const { terms, result } =
    lettersOf(
      equation,
      operands.map((operand) => shapeOf(operand).length),
    ) ?? refuse(`its equation "${equation.slice(0, 80)}" is not followed here`);
  const size = new Map<string, Term>();
  let letter: string | undefined;
  let rows: Rows | undefined;
  for (const [i, operand] of operands.entries()) {
    const letters = terms[i] ?? "";
    const shape = shapeOf(operand);
    if (letters.length !== shape.length || new Set(letters).size !== letters.length)
      refuse("its equation does not fit what comes in");
    for (const [axis, name] of [...letters].entries()) {
      const own = shape[axis] ?? ONE;
      const known = size.get(name);
      if (known === undefined || isNumber(known, 1)) size.set(name, own);
    }
    if (operand.rows === undefined) continue;
    const own = letters[operand.rows.axis] ?? "";
    if (rows !== undefined && (own !== letter || !sameRows(rows, operand.rows)))
      refuse("it combines every row with all rows");
    letter = own;
    rows = operand.rows;
  }
  for (const [i, operand] of operands.entries()) {
    if (operand.rows !== undefined || letter === undefined || !terms[i]?.includes(letter)) continue;
    if (!isNumber(operand.shape?.[terms[i]?.indexOf(letter) ?? 0], 1)) {
      refuse("a tensor that is the same for all requests has a size of its own along the batch");
    }
  }
  const axis = result.indexOf(letter ?? " ");
  if (axis < 0) contracted();
  if (rows === undefined || new Set(result).size !== result.length) return refuse("its equation is not followed here");
  const batch = shapeOf(operands.find((operand) => operand.rows === rows) ?? input(call, 0))[rows.axis] ?? ONE;
  const shape = [...result].map((name) => (name === letter ? batch : (size.get(name) ?? call.symbols.fresh())));
  return [withRows(operands[0]?.type ?? 0, shape, { ...rows, axis })];
};
