/** ONNX's vectors as tensors: bytes, as they travel in requests. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import onnxProto from "onnx-proto";
import { bytesOf, DATATYPES, type Datatype, elementCount, type Tensor } from "../../../runtime/tensors/index.ts";
import { encodeStrings } from "../../../runtime/tensors/strings.ts";
import type { Vector } from "./data.ts";

const { onnx } = onnxProto;
const types = onnx.TensorProto.DataType;
type TensorProto = InstanceType<typeof onnx.TensorProto>;

const DATATYPE: Readonly<Record<number, Datatype>> = {
  [types.BOOL]: "BOOL",
  [types.UINT8]: "UINT8",
  [types.UINT16]: "UINT16",
  [types.UINT32]: "UINT32",
  [types.UINT64]: "UINT64",
  [types.INT8]: "INT8",
  [types.INT16]: "INT16",
  [types.INT32]: "INT32",
  [types.INT64]: "INT64",
  [types.FLOAT16]: "FP16",
  [types.FLOAT]: "FP32",
  [types.DOUBLE]: "FP64",
  [types.STRING]: "BYTES",
};

export type Named = ReadonlyMap<string, Tensor>;
export type Case = { inputs: Named; outputs: Named };

/** The inputs and outputs of a vector by name, or why they cannot be in a request: no tensors, or of a type it has not. */
export const readCase = ({ folder }: Vector): Case | string => {
  const { graph } = onnx.ModelProto.decode(readFileSync(join(folder, "model.onnx")));
  const read = (kind: "input" | "output"): Map<string, Tensor> | string => {
    const tensors = new Map<string, Tensor>();
    for (const [i, value] of (graph?.[kind] ?? []).entries()) {
      const file = join(folder, "test_data_set_0", `${kind}_${i}.pb`);
      // Old models list their weights among the inputs, behind those that are given.
      if (!existsSync(file)) break;
      if (!value.type?.tensorType) return `an ${kind} is no tensor (${kindOf(value.type)})`;
      const tensor = toTensor(onnx.TensorProto.decode(readFileSync(file)));
      if (typeof tensor === "string") return `an ${kind} has ${tensor}`;
      tensors.set(value.name ?? "", tensor);
    }
    return tensors;
  };
  const inputs = read("input");
  if (typeof inputs === "string") return inputs;
  const outputs = read("output");
  return typeof outputs === "string" ? outputs : { inputs, outputs };
};

const kindOf = (type: object | null | undefined): string =>
  Object.keys(type ?? {})
    .find((key) => key.endsWith("Type"))
    ?.replace("Type", "") ?? "without a type";

const toTensor = (proto: TensorProto): Tensor | string => {
  const type = proto.dataType ?? 0;
  const datatype = DATATYPE[type];
  if (datatype === undefined) return `elements of ONNX's type ${type}, which the protocol has not`;
  const shape = (proto.dims ?? []).map(Number);
  return { datatype, shape, bytes: toBytes(proto, datatype, elementCount(shape) ?? 0) };
};

const toBytes = (proto: TensorProto, datatype: Datatype, count: number): Uint8Array => {
  if (datatype === "BYTES") return encodeStrings(proto.stringData ?? []);
  if (proto.rawData !== undefined && proto.rawData !== null && proto.rawData.length > 0) return proto.rawData;
  const { Array: Typed } = DATATYPES[datatype];
  const array = new Typed(count);
  const values = [proto.floatData, proto.doubleData, proto.int32Data, proto.int64Data, proto.uint64Data].find(
    (list) => list !== undefined && list !== null && list.length > 0,
  );
  for (const [i, value] of (values ?? []).entries()) {
    array[i] =
      array instanceof BigInt64Array || array instanceof BigUint64Array ? BigInt(String(value)) : Number(value);
  }
  return bytesOf(array);
};
