import { z } from "zod";
import type { Service } from "../../inference/index.ts";
import { type Datatype, elementCount, type TensorInfo } from "../../tensors/index.ts";
import { type JsonSchema, type Operation, type PathContribution, pathItem } from "../openapi/index.ts";
import { modelPaths } from "./index.ts";
import { indexRequestSchema, requestSchema, responseSchemas } from "./schema.ts";

const TAG = "Open Inference Protocol v2";

/** The paths of `createOpenInference` as an OpenAPI document has them. */
export const openInferencePaths = (service: Service): PathContribution => {
  const { model } = service;
  const paths: Record<string, object> = {
    "/v2": item(get("server", "The server and its extensions", responseSchemas.server)),
    "/v2/health/live": item(get("live", "Whether the server is alive", responseSchemas.live)),
    "/v2/health/ready": item(get("ready", "Whether the server takes requests", responseSchemas.ready)),
    "/v2/models/stats": item(get("stats", "Statistics of all models", responseSchemas.statistics)),
    "/v2/repository/index": item(get("indexGet", "The models and their states", responseSchemas.index), {
      ...get("index", "The models and their states", responseSchemas.index),
      method: "post",
      request: { required: false, content: { "application/json": { schema: schemaOf(indexRequestSchema) } } },
    }),
  };
  for (const [i, base] of modelPaths(model).entries()) {
    const prefix = i === 0 ? "model" : "version";
    paths[base] = item(get(prefix, "The model's inputs and outputs", responseSchemas.model));
    paths[`${base}/ready`] = item(get(`${prefix}Ready`, "Whether the model is ready", responseSchemas.ready));
    paths[`${base}/stats`] = item(get(`${prefix}Stats`, "The model's statistics", responseSchemas.statistics));
    paths[`${base}/infer`] = item(infer(`${prefix}Infer`, service));
  }
  return paths;
};

const item = (...operations: Operation[]): object => pathItem(TAG, operations);

const schemaOf = (schema: z.ZodType, io: "input" | "output" = "input"): JsonSchema => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
};

const answer = (description: string, schema: z.ZodType): Operation["response"] => ({
  description,
  content: { "application/json": { schema: schemaOf(schema, "output") } },
});

const get = (operationId: string, summary: string, schema: z.ZodType): Operation => ({
  method: "get",
  summary,
  operationId: `v2${operationId.charAt(0).toUpperCase()}${operationId.slice(1)}`,
  response: answer(summary, schema),
});

const BINARY = { schema: { type: "string", contentMediaType: "application/octet-stream" } };

const infer = (operationId: string, { model }: Service): Operation => ({
  ...get(operationId, "Runs the model", responseSchemas.infer),
  method: "post",
  headers: [
    {
      name: "Inference-Header-Content-Length",
      description:
        "The body begins with so many bytes of JSON, and the binary tensors follow. 0: the body is the only input.",
      schema: { type: "integer", minimum: 0 },
    },
  ],
  request: {
    required: true,
    content: {
      "application/json": {
        schema: schemaOf(requestSchema),
        example: { inputs: model.inputs.filter((info) => info.default === undefined).map(exampleOf) },
      },
      "application/octet-stream": BINARY,
    },
  },
  response: {
    description: "The outputs",
    content: { ...answer("", responseSchemas.infer).content, "application/octet-stream": BINARY },
  },
  errors: [499, 501, 504],
});

/** Longer examples would make the document large without telling more. */
const EXAMPLE_ELEMENTS = 4096;

/** An input with 1 for each open dimension; without data where these have no JSON form or are too many to show. */
const exampleOf = ({ name, datatype, shape, anyRank }: TensorInfo) => {
  const sizes = anyRank === true ? [1] : shape.map((size) => size ?? 1);
  const count = elementCount(sizes) ?? Number.POSITIVE_INFINITY;
  const tensor = { name, shape: sizes, datatype };
  if (datatype === "FP16" || count > EXAMPLE_ELEMENTS) return tensor;
  return { ...tensor, data: Array<unknown>(count).fill(exampleElement(datatype)) };
};

const exampleElement = (datatype: Datatype): unknown =>
  datatype === "BYTES" ? "text" : datatype === "BOOL" ? true : datatype.startsWith("FP") ? 0.5 : 1;
