/**
 * What requests and answers look like, for the OpenAPI document. Requests are read without them, straight into tensors; a
 * test holds both against each other.
 */
import { z } from "zod";
import type { Model } from "../../inference/index.ts";
import { namelessInput } from "../../inference/inputs.ts";
import type { Datatype, TensorInfo } from "../../tensors/index.ts";
import type { Task } from "./examples.ts";
import { SIGNATURE } from "./signature.ts";

// What may be left out may be null as well.
const signature_name = z.literal(SIGNATURE).nullish();
/** NaN and infinities stand bare in the text, which is no JSON and so no part of a schema. */
const number = z.number();

const whole = (least: number, most: number) => z.int().min(least).max(most);

/** Half a step above the largest float32, from where a number is rounded to Infinity. */
const FLOAT32_LIMIT = 3.4028235677973366e38;

const ELEMENTS: Readonly<Record<Datatype, z.ZodType>> = {
  BOOL: z.boolean(),
  UINT8: whole(0, 255),
  UINT16: whole(0, 65535),
  UINT32: whole(0, 2 ** 32 - 1),
  UINT64: z.int().min(0),
  INT8: whole(-128, 127),
  INT16: whole(-32768, 32767),
  INT32: whole(-(2 ** 31), 2 ** 31 - 1),
  INT64: z.int(),
  FP16: z.never(),
  FP32: z.number().gt(-FLOAT32_LIMIT).lt(FLOAT32_LIMIT),
  FP64: z.number(),
  BYTES: z.union([z.string().regex(/^[^\0]*$/), z.strictObject({ b64: z.base64() })]),
};

/** Nested lists down to the elements, of the axes from `axis` on; of any depth where the model does not say how many there are. */
const nested = ({ datatype, shape, anyRank }: TensorInfo, axis: number): z.ZodType =>
  anyRank === true
    ? z.union([ELEMENTS[datatype], z.array(z.unknown())])
    : shape
        .slice(axis)
        .reduceRight<z.ZodType>(
          (of, size) => (size === null ? z.array(of) : z.array(of).length(size)),
          ELEMENTS[datatype],
        );

const named = (model: Model, axis: number) =>
  z.strictObject(
    Object.fromEntries(
      model.inputs.map((info) => {
        const tensor = nested(info, axis);
        return [info.name, info.default === undefined ? tensor : tensor.nullish()];
      }),
    ),
  );

const orNamed = (model: Model, axis: number): z.ZodType => {
  const only = namelessInput(model);
  return only === undefined ? named(model, axis) : z.union([nested(only, axis), named(model, axis)]);
};

export const predictRequest = (model: Model) =>
  z.union([
    z.object({ signature_name, instances: z.array(orNamed(model, 1)).min(1), inputs: z.null().optional() }),
    z.object({ signature_name, inputs: orNamed(model, 0), instances: z.null().optional() }),
  ]);

export const predictResponse = z.union([
  z.object({ predictions: z.array(z.unknown()) }),
  z.object({ outputs: z.unknown() }),
]);

const feature = ({ datatype }: TensorInfo) => z.union([ELEMENTS[datatype], z.array(ELEMENTS[datatype])]);

export const examplesRequest = (model: Model) => {
  const features = z.object(Object.fromEntries(model.inputs.map((info) => [info.name, feature(info).nullish()])));
  return z.object({ signature_name, context: features.nullish(), examples: z.array(features).min(1) });
};

/** A list of two, and no tuple: few programs that read OpenAPI know `prefixItems`. */
const labelAndScore = z.array(z.union([z.string(), number])).length(2);

export const resultsResponse: Readonly<Record<Task, z.ZodType>> = {
  classify: z.object({ results: z.array(z.array(labelAndScore)) }),
  regress: z.object({ results: z.array(number) }),
};

export const modelsResponse = z.object({ models: z.array(z.string()) });

export const statusResponse = z.object({
  model_version_status: z.array(
    z.object({
      version: z.string(),
      state: z.enum(["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]),
      status: z.object({ error_code: z.string(), error_message: z.string() }),
    }),
  ),
  name: z.string(),
  ready: z.boolean(),
});

const tensorInfos = z.record(
  z.string(),
  z.object({
    name: z.string(),
    dtype: z.string(),
    tensor_shape: z.object({
      dim: z.array(z.object({ size: z.string(), name: z.string() })),
      unknown_rank: z.boolean(),
    }),
  }),
);

export const metadataResponse = z.object({
  model_spec: z.object({ name: z.string(), signature_name: z.string(), version: z.string() }),
  metadata: z.object({
    signature_def: z.object({
      signature_def: z.record(
        z.string(),
        z.object({ inputs: tensorInfos, outputs: tensorInfos, method_name: z.string() }),
      ),
    }),
  }),
});

export const errorResponse = z.object({ error: z.string() });
