import type { Service } from "../../inference/index.ts";
import type { Handle, Routes } from "../../transport/http/types.ts";

export type JsonSchema = Record<string, unknown>;

/** One operation of a path, as its protocol describes it. */
export type Operation = {
  method: "get" | "post";
  summary: string;
  /** Unique in the document. */
  operationId: string;
  /** Headers that the operation reads. */
  headers?: readonly { name: string; description: string; schema: JsonSchema }[];
  /** By content type. */
  request?: { required: boolean; content: Record<string, { schema: JsonSchema; example?: unknown }> };
  /** The body of 200, by content type. */
  response: { description: string; content: Record<string, { schema: JsonSchema; example?: unknown }> };
  /** Statuses that this operation may give besides those that every request may have. */
  errors?: readonly number[];
};

/** What a protocol adds to the document: OpenAPI path items by path. Two protocols must not have the same path. */
export type PathContribution = Readonly<Record<string, object>>;

export const OPENAPI_PATH = "/openapi.json";

/** What the server may answer to any request, whatever its path. */
const ALWAYS = [400, 405, 408, 413, 415, 429, 431, 500, 503];
const MEANING: Record<number, string> = {
  400: "The request is not understood or does not fit the model; the message names the tensor or field.",
  404: "There is no such path, model or version.",
  405: "The path wants another method; the header allow names it.",
  408: "The request did not arrive in time.",
  413: "The body is larger than the server takes.",
  415: "The content encoding is not gzip, deflate or identity.",
  429: "More work is waiting than can be done in time; the header retry-after says when to come back.",
  431: "The request's header is too large.",
  499: "The client closed the connection.",
  500: "The server or the model failed.",
  501: "What was asked for is not supported.",
  503: "Nothing can run now; the header retry-after says when to come back.",
  504: "The request took longer than its timeout, or than --request-timeout.",
};
const RETRY = { "retry-after": { description: "Seconds.", schema: { type: "string" } } };

/** The OpenAPI 3.1 document of the paths of `service`'s model, and where it is served. */
export const createOpenApi = (service: Service, contributions: readonly PathContribution[]): Routes => {
  const body = JSON.stringify(openApiDocument(service, contributions));
  const handle: Handle = () => ({ status: 200, headers: { "content-type": "application/json" }, parts: [body] });
  return { paths: new Map([[OPENAPI_PATH, { GET: handle }]]), explain: () => undefined };
};

export const openApiDocument = (service: Service, contributions: readonly PathContribution[]) => {
  const { name } = service.model;
  return {
    openapi: "3.1.0",
    info: {
      title: `Inference with ${name}`,
      version: service.serverVersion,
      description: "JSON may hold the bare words NaN, Infinity and -Infinity where a tensor has floats.",
    },
    paths: {
      ...Object.assign({}, ...contributions),
      [OPENAPI_PATH]: pathItem("OpenAPI", [
        {
          method: "get",
          summary: "This document",
          operationId: "openapi",
          response: { description: "OpenAPI 3.1", content: { "application/json": { schema: { type: "object" } } } },
        },
      ]),
    },
    components: {
      schemas: {
        Error: {
          type: "object",
          properties: { error: { type: "string", description: "What is wrong, and what to do." } },
          required: ["error"],
        },
      },
      responses: Object.fromEntries(
        Object.entries(MEANING).map(([status, description]) => [
          `Status${status}`,
          {
            description,
            ...(status === "405" ? { headers: { allow: { schema: { type: "string" } } } } : {}),
            ...(status === "429" || status === "503" ? { headers: RETRY } : {}),
            content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
          },
        ]),
      ),
    },
  };
};

/** The path item of `operations`, with the errors that all have and those that each names. */
export const pathItem = (tag: string, operations: readonly Operation[]): object =>
  Object.fromEntries(
    operations.map(({ method, summary, operationId, headers = [], request, response, errors = [] }) => [
      method,
      {
        tags: [tag],
        summary,
        operationId,
        ...(headers.length > 0 ? { parameters: headers.map((header) => ({ in: "header", ...header })) } : {}),
        ...(request === undefined ? {} : { requestBody: request }),
        responses: {
          200: response,
          ...Object.fromEntries(
            [...ALWAYS, ...errors].map((status) => [status, { $ref: `#/components/responses/Status${status}` }]),
          ),
        },
      },
    ]),
  );
