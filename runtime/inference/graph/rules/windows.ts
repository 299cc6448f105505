/** Convolutions, pooling and resizing: each row is an image of its own. */
import { broadcastOnto } from "../broadcast.ts";
import {
  axesOf,
  axisIn,
  type Call,
  input,
  intOf,
  intsOf,
  mustBeFixed,
  numbersIn,
  type Rule,
  shapeOf,
  stringOf,
} from "../call.ts";
import { constant, equal, isConstant, ONE, type Term } from "../terms.ts";
import { fixed, refuse, sameRows, type Tensor, withRows } from "../values.ts";

const like = (x: Tensor, shape: readonly Term[] | undefined, type = x.type): Tensor =>
  x.rows === undefined || shape === undefined ? fixed(type, shape) : withRows(type, shape, x.rows);

/** The batch must be the first axis of images, whose second is of channels; undefined where nothing is known of one without rows. */
export const images = (x: Tensor, axis = 0): readonly Term[] | undefined => {
  if (x.rows === undefined) return x.shape;
  if (x.rows.axis !== axis) refuse(`the batch is axis ${x.rows.axis} of what comes in, and axis ${axis} was due`);
  return shapeOf(x);
};

/** The size that a window of `kernel` leaves of one axis. */
const windowed = (call: Call, size: Term | undefined, at: number, count: number, kernel: number | undefined): Term => {
  const pick = (name: string): number => intsOf(call, name)?.[at] ?? 1;
  const pads = intsOf(call, "pads");
  const auto = stringOf(call, "auto_pad") ?? "NOTSET";
  if (size === undefined || !isConstant(size) || kernel === undefined) {
    // 1 × 1 and the like keep what they have
    const plain = kernel === 1 && pick("strides") === 1 && (pads === undefined || pads.every((one) => one === 0));
    return plain && size !== undefined ? size : call.symbols.fresh();
  }
  const stride = pick("strides");
  if (auto.startsWith("SAME")) return constant(Math.ceil(size.c / stride));
  const padded = auto === "VALID" || pads === undefined ? 0 : (pads[at] ?? 0) + (pads[at + count] ?? 0);
  const places = (size.c + padded - ((kernel - 1) * pick("dilations") + 1)) / stride;
  if (intOf(call, "ceil_mode") !== 1) return constant(Math.max(0, Math.floor(places) + 1));
  // a last window that begins in the padding is left out, and versions differ in when
  return Number.isInteger(places) ? constant(places + 1) : call.symbols.fresh();
};

const kernelOf = (call: Call, weights: Tensor | undefined, at: number, first = 2): number | undefined => {
  const given = intsOf(call, "kernel_shape")?.[at];
  const size = weights?.shape?.[at + first];
  return given ?? (size !== undefined && isConstant(size) ? size.c : undefined);
};

/** @param weights which input holds them; `sum`: which one is added to the result, if any; `others` are fixed. */
export const convolution =
  ({ weights = 1, sum, type }: { weights?: number; sum?: number; type?: number } = {}): Rule =>
  (call) => {
    const x = input(call, 0);
    const shape = images(x);
    for (let at = 1; at < call.inputs.length; at++) if (at !== sum) mustBeFixed(call, at, at + 1);
    const w = call.inputs[weights];
    const result = like(
      x,
      shape?.map((size, axis) => {
        if (axis === 0) return size;
        if (axis === 1) return w?.shape?.[0] ?? call.symbols.fresh();
        return windowed(call, size, axis - 2, shape.length - 2, kernelOf(call, w, axis - 2));
      }),
      type ?? x.type,
    );
    if (sum !== undefined) broadcastOnto(call.symbols, result, [call.inputs[sum]]);
    return [result];
  };

/** Only the batch is followed: the other sizes are whatever they are. */
export const imagewise =
  (type?: number): Rule =>
  (call) => {
    const x = input(call, 0);
    const shape = images(x);
    mustBeFixed(call, 1);
    return [
      like(
        x,
        shape?.map((size, axis) => (axis === 0 ? size : call.symbols.fresh())),
        type ?? x.type,
      ),
    ];
  };

export const pooling: Rule = (call) => {
  const x = input(call, 0);
  const shape = images(x);
  if (call.wanted[1] === true && x.rows !== undefined) {
    refuse("its second output counts places through the whole batch; export the model without it");
  }
  mustBeFixed(call, 1);
  const sizes = shape?.map((size, axis) =>
    axis < 2 ? size : windowed(call, size, axis - 2, shape.length - 2, kernelOf(call, undefined, axis - 2)),
  );
  return call.node.outputs.map(() => like(x, sizes));
};

export const globalPooling: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  return [
    like(
      x,
      images(x)?.map((size, axis) => (axis < 2 ? size : ONE)),
    ),
  ];
};

/** Blocks of pixels become channels, or channels blocks. */
const blocks =
  (grow: boolean): Rule =>
  (call) => {
    const x = input(call, 0);
    const by = intOf(call, "blocksize") ?? 1;
    return [
      like(
        x,
        images(x)?.map((size, axis) => {
          if (axis === 0) return size;
          const factor = axis === 1 ? by * by : by;
          const larger = grow === (axis !== 1);
          const c = larger ? size.c * factor : size.c / factor;
          return Number.isInteger(c) ? { ...size, c } : call.symbols.fresh();
        }),
      ),
    ];
  };

/** Scales or sizes must leave the batch as it is. */
const resize: Rule = (call) => {
  const x = input(call, 0);
  mustBeFixed(call, 1);
  if (x.rows === undefined) return [fixed(x.type, undefined)];
  const shape = shapeOf(x);
  if (stringOf(call, "coordinate_transformation_mode") === "tf_crop_and_resize") refuse("it crops along all axes");
  if ((stringOf(call, "keep_aspect_ratio_policy") ?? "stretch") !== "stretch")
    refuse("the batch is among the axes whose ratio it keeps");
  const axes = (axesOf(call, 9) ?? shape.map((_, i) => i)).map((axis) => axisIn(axis, shape.length));
  const at = axes.indexOf(x.rows.axis);
  const [scales, target] =
    call.opset < 10
      ? [call.inputs[1], undefined]
      : call.opset < 11
        ? [call.inputs[1], undefined]
        : [call.inputs[2], call.inputs[3]];
  const given = target?.data?.length ? target.data : undefined;
  const batch = shape[x.rows.axis] ?? ONE;
  if (at >= 0) {
    const scale = numbersIn(scales)?.[at] ?? floatsAttribute(call)?.[at];
    const kept = given === undefined ? scale === 1 : equal(given[at] ?? constant(-1), batch);
    if (!kept) refuse("it is not shown to leave the batch as long as it is");
  }
  const factors = given === undefined ? (numbersIn(scales) ?? floatsAttribute(call)) : undefined;
  const sizes = shape.map((size, axis) => {
    const place = axes.indexOf(axis);
    if (place < 0 || axis === x.rows?.axis) return size;
    const own = given?.[place];
    if (own !== undefined) return own.symbols.some((symbol) => symbol < 0) ? call.symbols.fresh() : own;
    const factor = factors?.[place];
    if (factor !== undefined && Number.isInteger(factor) && factor >= 1) return { ...size, c: size.c * factor };
    return call.symbols.fresh();
  });
  return [withRows(x.type, sizes, x.rows)];
};
const floatsAttribute = ({ node }: Call): readonly number[] | undefined => {
  const found = node.attributes.get("scales");
  return found?.kind === "floats" ? found.values : undefined;
};

/** Images and where to look in them, row by row. */
const gridSample: Rule = (call) => {
  const [x, grid] = [input(call, 0), input(call, 1)];
  if (x.rows === undefined && grid.rows === undefined) return [fixed(x.type, undefined)];
  if (x.rows === undefined || grid.rows === undefined) return refuse("only one of image and grid has rows");
  if (!sameRows(x.rows, grid.rows)) refuse("its images and grids do not have the same rows");
  const shape = images(x) ?? [];
  const places = images(grid) ?? [];
  return [like(x, [shape[0] ?? ONE, shape[1] ?? ONE, ...places.slice(1, -1)])];
};

const affineGrid: Rule = (call) => {
  const theta = input(call, 0);
  images(theta);
  const [size] = call.inputs[1]?.data ?? [];
  if (theta.rows === undefined) return [fixed(theta.type, undefined)];
  const batch = shapeOf(theta)[0] ?? ONE;
  const { data } = input(call, 1);
  if (data === undefined || size === undefined || !equal(size, batch))
    return refuse("the size that it is given does not hold the number of rows");
  return [like(theta, [batch, ...data.slice(2), constant(data.length - 2)])];
};

/** Of the statistics of one image, or of one channel of it. */
export const normaliseImages =
  (channelsLast = false): Rule =>
  (call) => {
    const x = input(call, 0);
    images(x);
    mustBeFixed(call, 1);
    if (channelsLast && x.shape === undefined && x.rows !== undefined) refuse("its rank is not known");
    return [like(x, x.shape)];
  };

/** With statistics that training has left: each channel by itself. */
const batchNormalization: Rule = (call) => {
  const x = input(call, 0);
  if (intOf(call, "training_mode") === 1) refuse("it normalises by the batch at hand; export the model for inference");
  if (call.wanted.slice(1).some((one) => one))
    refuse("its outputs for training are used; export the model for inference");
  mustBeFixed(call, 1);
  if (x.rows !== undefined && (x.rows.axis === 1 || shapeOf(x).length < 2)) refuse("its channels are the batch");
  return [like(x, x.shape)];
};

const localResponse: Rule = (call) => {
  const x = input(call, 0);
  if (x.rows?.axis === 1) refuse("its channels are the batch");
  return [like(x, x.shape)];
};

export const WINDOW_RULES: Readonly<Record<string, Rule>> = {
  Conv: convolution(),
  ConvTranspose: imagewise(),
  ConvInteger: convolution({ type: 6 }),
  QLinearConv: (call) => convolution({ weights: 3, type: call.inputs[7]?.type ?? 2 })(call),
  DeformConv: (call) => {
    // offsets and masks are computed from the image, row by row
    for (const at of [2, 4]) {
      const own = call.inputs[at];
      const rows = call.inputs[0]?.rows;
      if (own === undefined) continue;
      if ((own.rows === undefined) !== (rows === undefined)) refuse("its offsets have no rows");
      if (own.rows !== undefined && rows !== undefined && !sameRows(own.rows, rows))
        refuse("its images and offsets do not have the same rows");
      images(own);
    }
    return imagewise()({ ...call, inputs: [call.inputs[0], call.inputs[1], undefined, call.inputs[3]] });
  },
  MaxPool: pooling,
  AveragePool: pooling,
  LpPool: pooling,
  GlobalMaxPool: globalPooling,
  GlobalAveragePool: globalPooling,
  GlobalLpPool: globalPooling,
  SpaceToDepth: blocks(false),
  DepthToSpace: blocks(true),
  Resize: resize,
  Upsample: resize,
  GridSample: gridSample,
  AffineGrid: affineGrid,
  Col2Im: imagewise(),
  InstanceNormalization: normaliseImages(),
  GroupNormalization: normaliseImages(),
  BatchNormalization: batchNormalization,
  LRN: localResponse,
};
