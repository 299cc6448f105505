import { type Rule, shapeOf } from "./call.ts";
import { equal, isConstant, isNumber, ONE, type Symbols, type Term } from "./terms.ts";
import { fixed, type Rows, refuse, sameRows, type Tensor, withRows } from "./values.ts";

/** The size of one axis of which some operands have `sizes`; those that are 1 follow the others. */
const broadcastSize = (symbols: Symbols, sizes: readonly Term[]): Term => {
  let size = ONE;
  for (const other of sizes) {
    if (isNumber(other, 1) || equal(size, other)) continue;
    if (isNumber(size, 1)) size = other;
    // two numbers that differ fail when they run; a number above 1 beside an open size is the result in any case that runs
    else if (isConstant(size)) continue;
    else if (isConstant(other)) size = other;
    else
      size =
        symbols.derived("broadcast", [size, other].sort(byName), true) ??
        refuse("it broadcasts rows to sizes that may differ");
  }
  return size;
};
const byName = (one: Term, other: Term): number => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1);

/**
 * What operands give that are laid over each other from the last axis on. Where rows lie, all other operands must have rows
 * in the same places, or one value for all of them.
 */
export const broadcast = (
  symbols: Symbols,
  operands: readonly Tensor[],
): { shape: readonly Term[]; rows: Rows | undefined } | undefined => {
  if (operands.every(({ rows }) => rows === undefined) && operands.some(({ shape }) => shape === undefined)) {
    return undefined;
  }
  const shapes = operands.map(shapeOf);
  const rank = Math.max(0, ...shapes.map(({ length }) => length));
  let rows: Rows | undefined;
  for (const [i, operand] of operands.entries()) {
    if (operand.rows === undefined) continue;
    const axis = operand.rows.axis + rank - (shapes[i]?.length ?? 0);
    if (rows !== undefined && (rows.axis !== axis || !sameRows(rows, operand.rows))) {
      refuse("it broadcasts rows along different axes, so that every row is combined with all rows");
    }
    rows = { ...operand.rows, axis };
  }
  const shape = Array.from({ length: rank }, (_, axis) => {
    const present = shapes.flatMap((sizes, i) => {
      const size = sizes[axis - rank + sizes.length];
      return size === undefined ? [] : [{ size, own: operands[i]?.rows !== undefined }];
    });
    if (axis !== rows?.axis)
      return broadcastSize(
        symbols,
        present.map(({ size }) => size),
      );
    const size = present.find(({ own }) => own)?.size ?? ONE;
    if (present.some((one) => !one.own && !isNumber(one.size, 1))) {
      refuse("a tensor that is the same for all requests has a size of its own along the batch");
    }
    return size;
  });
  return { shape, rows };
};

/** Operators that compute each element from those in the same place. `type`: of the result; undefined: as the first input. */
export const elementwise =
  (type?: number): Rule =>
  ({ inputs, symbols }) => {
    const operands = inputs.filter((tensor) => tensor !== undefined);
    const result = broadcast(symbols, operands);
    const of = type ?? operands[0]?.type ?? 0;
    if (result === undefined) return [fixed(of, undefined)];
    return [result.rows === undefined ? fixed(of, result.shape) : withRows(of, result.shape, result.rows)];
  };

/** The result has the shape of the first input, and rows where that has them; the others must be laid over it. */
export const broadcastOnto = (symbols: Symbols, target: Tensor, others: readonly (Tensor | undefined)[]): void => {
  const { rows } = target;
  for (const other of others) {
    if (other === undefined) continue;
    const result = broadcast(symbols, [target, other]);
    if (other.rows !== undefined && rows === undefined) refuse("it broadcasts rows to a tensor without rows");
    if (rows !== undefined && result !== undefined && result.shape.length > shapeOf(target).length) {
      refuse("it is broadcast to more axes than it has");
    }
  }
};
