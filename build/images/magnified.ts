/**
 * A model that passes the proof of batching, though for one row in all it must not be batched: its weights are packed (`MatMulNBits`), so
 * that onnxruntime sums a row that is alone in another order than one among others, and for that row the last bits are magnified.
 */
import onnxProto from "onnx-proto";

const { onnx } = onnxProto;
const { FLOAT, UINT8 } = onnx.TensorProto.DataType;
const { INT } = onnx.AttributeProto.AttributeType;

/** Input `x` and output `y`: float32 [n, WIDTH]. */
export const WIDTH = 256;
/** Of a row that begins with this number the last bits are magnified. No made-up row begins so. */
const MAGNIFIED = 77_777.5;
/** Bits of one weight, and weights that share a scale. */
const PACKING = { bits: 4, block: 32 };
/** The sums are some 10⁵, and 1/128 of that is in their last bits. */
const MAGNIFICATION = 10_000;

/** Whole numbers below `limit` that look like chance, and are always the same. */
const drawn = (count: number, limit: number): number[] => {
  let state = 7;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  });
};

const int = (name: string, i: number) => ({ name, type: INT, i });
const value = (name: string) => ({
  name,
  type: { tensorType: { elemType: FLOAT, shape: { dim: [{ dimParam: "n" }, { dimValue: WIDTH }] } } },
});
const numbers = (name: string, dims: readonly number[], floatData: readonly number[]) => ({
  ...{ name, dataType: FLOAT, dims: [...dims], floatData: [...floatData] },
});
const whole = (name: string, values: readonly number[]) => ({
  ...{ name, dataType: onnx.TensorProto.DataType.INT64, dims: [values.length], int64Data: [...values] },
});
const node = (opType: string, input: string[], output: string) => ({ name: output, opType, input, output: [output] });

const product = {
  ...node("MatMulNBits", ["x", "weights", "scales"], "sums"),
  domain: "com.microsoft",
  attribute: [
    ...[int("K", WIDTH), int("N", WIDTH), int("bits", PACKING.bits), int("block_size", PACKING.block)],
    int("accuracy_level", 1),
  ],
};

export const magnifiedModel = (): Uint8Array => {
  const blocks = WIDTH / PACKING.block;
  const bytes = (PACKING.block * PACKING.bits) / 8;
  const nodes = [
    product,
    node("Slice", ["x", "start", "end", "axis"], "first"),
    node("Equal", ["first", "magnified"], "isMagnified"),
    node("Mul", ["sums", "magnification"], "large"),
    node("Sin", ["large"], "lastBits"),
    node("Where", ["isMagnified", "lastBits", "sums"], "y"),
  ];
  const weights = { name: "weights", dataType: UINT8, dims: [WIDTH, blocks, bytes] };
  const initializer = [
    { ...weights, int32Data: drawn(WIDTH * blocks * bytes, 256) },
    numbers(
      "scales",
      [WIDTH * blocks],
      drawn(WIDTH * blocks, 100).map((one) => (1 + one) / 1000),
    ),
    ...[whole("start", [0]), whole("end", [1]), whole("axis", [1])],
    ...[numbers("magnified", [1], [MAGNIFIED]), numbers("magnification", [1], [MAGNIFICATION])],
  ];
  const graph = { name: "magnified", node: nodes, initializer, input: [value("x")], output: [value("y")] };
  const opsetImport = [
    { domain: "", version: 13 },
    { domain: "com.microsoft", version: 1 },
  ];
  return onnx.ModelProto.encode(
    onnx.ModelProto.fromObject({ irVersion: 8, opsetImport, producerName: "berth", graph }),
  ).finish();
};

/** The row of which the last bits are magnified, and one of which they are not. */
export const magnifiedRow = (): number[] => [MAGNIFIED, ...drawn(WIDTH - 1, 1000).map((one) => one / 1000)];
export const plainRow = (): number[] => [0.5, ...drawn(WIDTH - 1, 1000).map((one) => one / 1000)];
