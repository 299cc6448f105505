import type { Tensor } from "../../engine/index.ts";
import { RequestError } from "./errors.ts";
import { modelMetadata, serverMetadata } from "./metadata.ts";
import { type InferRequest, type Model, readInferRequest } from "./request.ts";
import { checkOutputForms, type EncodedResponse, writeInferResponse } from "./response.ts";

export type Service = {
  model: Model;
  serverVersion: string;
  /** Whether new requests are wanted: false while the server drains, though they are still answered. */
  ready(): boolean;
  infer(request: InferRequest): Promise<Map<string, Tensor>>;
};

export type RestRequest = {
  method: string;
  path: string;
  headerLength: string | undefined;
  body(): Promise<Uint8Array>;
};
export type RestResponse = { status: number } & EncodedResponse;

type Handler = (request: RestRequest) => Promise<RestResponse>;
type Route = { method: "GET" | "POST"; handle: Handler };

/** The Open Inference Protocol v2 over HTTP. Throws RequestError for what cannot be answered. */
export const createRestHandler = (service: Service): Handler => {
  const { model } = service;
  const get = (answer: () => RestResponse): Route => ({ method: "GET", handle: async () => answer() });
  const ready = get(() =>
    service.ready() ? json(200, {}) : json(503, { error: "not ready: the server is draining" }),
  );
  const metadata = get(() => json(200, modelMetadata(model)));
  const infer: Route = {
    method: "POST",
    async handle(request) {
      const parsed = readInferRequest(model, await request.body(), request.headerLength);
      checkOutputForms(model, parsed);
      return { status: 200, ...writeInferResponse(model, parsed, await service.infer(parsed)) };
    },
  };
  const routes = new Map<string, Route>([
    ["/v2", get(() => json(200, serverMetadata(service.serverVersion)))],
    ["/v2/health/live", get(() => json(200, { live: true }))],
    ["/v2/health/ready", ready],
  ]);
  for (const base of [`/v2/models/${model.name}`, `/v2/models/${model.name}/versions/${model.version}`]) {
    routes.set(base, metadata);
    routes.set(`${base}/ready`, ready);
    routes.set(`${base}/infer`, infer);
  }
  return async (request) => {
    const route = routes.get(request.path.length > 1 ? request.path.replace(/\/$/, "") : request.path);
    if (route === undefined) throw new RequestError(404, describeUnknown(model, request.path));
    if (route.method !== request.method && !(route.method === "GET" && request.method === "HEAD")) {
      throw new RequestError(405, `this path wants ${route.method}`, {
        allow: route.method === "GET" ? "GET, HEAD" : "POST",
      });
    }
    return route.handle(request);
  };
};

const json = (status: number, body: object): RestResponse => ({
  status,
  headers: { "content-type": "application/json" },
  parts: [JSON.stringify(body)],
});

const describeUnknown = (model: Model, path: string): string => {
  const match = /^\/v2\/models\/([^/]{1,253})(?:\/versions\/([^/]{1,63}))?(?:\/|$)/.exec(path);
  if (match === null) return "no such path; the protocol's paths begin with /v2";
  if (match[1] !== model.name) return `model "${match[1]}" is unknown; this server has "${model.name}"`;
  if (match[2] !== undefined && match[2] !== model.version) {
    return `version "${match[2]}" of model "${model.name}" is unknown; this server has "${model.version}"`;
  }
  return `no such path below model "${model.name}"; there are /ready and /infer`;
};
