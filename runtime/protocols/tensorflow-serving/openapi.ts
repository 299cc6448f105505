import { z } from "zod";
import type { Service } from "../../inference/index.ts";
import { basesOf } from "./rest.ts";
import * as schemas from "./schemas.ts";

type Json = Record<string, unknown>;

/** The paths of `createRoutes` as OpenAPI 3.1 path items. */
export const openApiPaths = (service: Service): Record<string, Json> => {
  const { model } = service;
  const paths: Record<string, Json> = {
    "/v1/models": { get: operation("v1Models", "The models of this server (KServe V1)", schemas.modelsResponse) },
  };
  const kinds = ["Model", "Version", "Label"];
  for (const [i, base] of basesOf(service).entries()) {
    const kind = kinds[i] ?? "";
    const get = (name: string, summary: string, answer: z.ZodType) => ({
      get: operation(`v1${kind}${name}`, summary, answer),
    });
    const post = (name: string, summary: string, request: z.ZodType, answer: z.ZodType) => ({
      post: {
        ...operation(`v1${kind}${name}`, summary, answer),
        requestBody: { required: true, content: { "application/json": { schema: schemaOf(request, "input") } } },
      },
    });
    const { classify, regress } = schemas.resultsResponse;
    paths[base] = get("Status", "Whether the model is ready", schemas.statusResponse);
    paths[`${base}/metadata`] = get("Metadata", "Inputs and outputs of the model", schemas.metadataResponse);
    paths[`${base}:predict`] = post(
      "Predict",
      "Runs the model on rows (instances) or whole tensors (inputs)",
      schemas.predictRequest(model),
      schemas.predictResponse,
    );
    const examples = schemas.examplesRequest(model);
    paths[`${base}:classify`] = post("Classify", "Classes and scores of examples", examples, classify);
    paths[`${base}:regress`] = post("Regress", "A value for each example", examples, regress);
  }
  return paths;
};

const schemaOf = (schema: z.ZodType, io: "input" | "output"): Json => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
};

const answerOf = (description: string, schema: z.ZodType) => ({
  description,
  content: { "application/json": { schema: schemaOf(schema, "output") } },
});

const operation = (operationId: string, summary: string, answer: z.ZodType): Json => ({
  operationId,
  summary,
  tags: ["TensorFlow Serving"],
  responses: { 200: answerOf("The answer", answer), default: answerOf("What was wrong", schemas.errorResponse) },
});
