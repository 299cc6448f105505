/** Graphs of random operators, each of which fits what comes in: for one row, and mostly for several. */
import type { Builder, Name } from "./builder.ts";

/** Sizes for one row, and how often the number of rows is in each. */
type Known = { name: Name; dims: readonly { size: number; rows: number }[] };

const ONE = { size: 1, rows: 0 };
const UNARY = ["Relu", "Abs", "Neg", "Tanh", "Sigmoid", "Identity"];
const REDUCTIONS = ["ReduceMax", "ReduceMin", "ReduceMean", "ReduceSumSquare"];

/**
 * Adds up to `choices.length` nodes behind `from`; each choice is a number in [0, 1) that decides which, and over what. Only
 * operators whose results move little when what comes in does, so that rounding is told from rows that meet.
 */
export const addRandomNodes = (b: Builder, from: Name, dims: readonly number[], choices: readonly number[]): Name => {
  const made: Known[] = [{ name: from, dims: dims.map((size, axis) => ({ size, rows: axis === 0 ? 1 : 0 })) }];
  const named = (name: Name, sizes: Known["dims"]): void => {
    made.push({ name, dims: sizes });
  };
  const batch = (): Name => b.op("Gather", [b.op("Shape", [from]), b.ints([0])]);
  for (const choice of choices) {
    let left = choice;
    const pick = (count: number): number => {
      const scaled = left * count;
      left = scaled - Math.floor(scaled);
      return Math.min(count - 1, Math.floor(scaled));
    };
    // mostly the last, so that chains are deep
    const x = made[pick(3) === 0 ? pick(made.length) : made.length - 1] ?? made[0];
    if (x === undefined) break;
    const rank = x.dims.length;
    const axis = rank === 0 ? 0 : pick(rank);
    const own = x.dims[axis] ?? ONE;
    switch (pick(18)) {
      case 0:
        named(b.op(UNARY[pick(UNARY.length)] ?? "Relu", [x.name]), x.dims);
        break;
      case 1: {
        const last = x.dims.at(-1) ?? ONE;
        named(
          b.op(pick(2) === 0 ? "Add" : "Mul", [x.name, last.rows === 0 ? b.weights(last.size) : b.weights(1)]),
          x.dims,
        );
        break;
      }
      case 2: {
        const same = made.filter((other) => JSON.stringify(other.dims) === JSON.stringify(x.dims));
        named(b.op(pick(2) === 0 ? "Add" : "Max", [x.name, same[pick(same.length)]?.name ?? x.name]), x.dims);
        break;
      }
      case 3:
        if (rank > 0) named(b.op("Softmax", [x.name], { axis }), x.dims);
        break;
      case 4:
        if (rank > 0) {
          const keep = pick(2);
          const kept = keep === 1 ? x.dims.with(axis, ONE) : x.dims.toSpliced(axis, 1);
          named(
            b.op(REDUCTIONS[pick(REDUCTIONS.length)] ?? "ReduceMax", [x.name], { axes: [axis], keepdims: keep }),
            kept,
          );
        }
        break;
      case 5:
        if (rank > 1) {
          const perm = x.dims.map((_, i) => (i + 1 + axis) % rank);
          named(
            b.op("Transpose", [x.name], { perm }),
            perm.map((i) => x.dims[i] ?? ONE),
          );
        }
        break;
      case 6:
        // two neighbours become one
        if (rank > 1) {
          const at = Math.min(axis, rank - 2);
          const [one, other] = [x.dims[at] ?? ONE, x.dims[at + 1] ?? ONE];
          const both = { size: one.size * other.size, rows: one.rows + other.rows };
          const to = x.dims.toSpliced(at, 2, both);
          if (to.filter(({ rows }) => rows > 0).length < 2) {
            named(b.op("Reshape", [x.name, b.ints(to.map(({ size, rows }) => (rows > 0 ? -1 : size)))]), to);
          }
        }
        break;
      case 7:
        // one becomes two; where rows are in it, they come first or last
        if (rank > 0 && own.size % 2 === 0 && own.rows < 2) {
          const halves =
            pick(2) === 0
              ? [
                  { size: own.size / 2, rows: own.rows },
                  { size: 2, rows: 0 },
                ]
              : [
                  { size: 2, rows: 0 },
                  { size: own.size / 2, rows: own.rows },
                ];
          const to = x.dims.toSpliced(axis, 1, ...halves);
          if (to.filter(({ rows }) => rows > 0).length < 2) {
            named(b.op("Reshape", [x.name, b.ints(to.map(({ size, rows }) => (rows > 0 ? -1 : size)))]), to);
          }
        }
        break;
      case 8: {
        const last = x.dims.at(-1) ?? ONE;
        if (rank > 1 && last.rows === 0)
          named(b.op("MatMul", [x.name, b.weights(last.size, 4)]), [...x.dims.slice(0, -1), { size: 4, rows: 0 }]);
        break;
      }
      case 9:
        if (rank > 0) named(b.op("Gather", [x.name, b.ints([0])], { axis }), x.dims.with(axis, ONE));
        break;
      case 10:
        if (rank > 0 && own.size < 64) {
          named(b.op("Concat", [x.name, x.name], { axis }), x.dims.with(axis, { ...own, size: own.size * 2 }));
        }
        break;
      case 11:
        if (rank > 0) named(b.op("CumSum", [x.name, b.ints([axis], [])], { reverse: pick(2) }), x.dims);
        break;
      case 12:
        if (rank < 5) named(b.op("Unsqueeze", [x.name, b.ints([axis])]), x.dims.toSpliced(axis, 0, ONE));
        break;
      case 13:
        // each with each, along the last axis
        if (rank > 1 && (x.dims.at(-1)?.rows ?? 0) + (x.dims.at(-2)?.rows ?? 0) * 2 < 3) {
          const turned = b.op("Transpose", [x.name], {
            perm: x.dims.map((_, i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i)),
          });
          named(b.op("Softmax", [b.op("MatMul", [x.name, turned])], { axis: -1 }), [
            ...x.dims.slice(0, -1),
            x.dims.at(-2) ?? ONE,
          ]);
        }
        break;
      case 14: {
        // what is the same for all, once for each row
        const shape = b.op("Concat", [batch(), b.ints([4])], { axis: 0 });
        named(b.op("Expand", [b.weights(1, 4), shape]), [
          { size: 1, rows: 1 },
          { size: 4, rows: 0 },
        ]);
        break;
      }
      case 15:
        if (rank > 0 && own.rows === 0) {
          const cut = b.op("Slice", [x.name, b.ints([0]), batch(), b.ints([axis])]);
          named(b.op("ReduceSum", [cut, b.ints([axis])]), x.dims.with(axis, ONE));
        }
        break;
      case 16:
        named(b.op("Mul", [x.name, b.op("Cast", [batch()], { to: 1 })]), x.dims);
        break;
      case 17:
        // by sizes that are read off, two of them multiplied where there are two
        if (rank > 1) {
          const shape = b.op("Shape", [x.name]);
          const sizes = x.dims.map((_, i) => b.op("Gather", [shape, b.ints([i])]));
          const at = Math.min(axis, rank - 2);
          const both = b.op("Mul", [sizes[at] ?? "", sizes[at + 1] ?? ""]);
          const [one, other] = [x.dims[at] ?? ONE, x.dims[at + 1] ?? ONE];
          const to = x.dims.toSpliced(at, 2, { size: one.size * other.size, rows: one.rows + other.rows });
          if (to.every(({ rows }) => rows < 2)) {
            named(b.op("Reshape", [x.name, b.op("Concat", sizes.toSpliced(at, 2, both), { axis: 0 })]), to);
          }
        }
        break;
    }
  }
  return made.at(-1)?.name ?? from;
};
