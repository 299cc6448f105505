import { invalid } from "../../errors/request-error.ts";
import type { InferenceCall, Model, Service } from "../../inference/index.ts";
import type { Handle, HttpResponse, Routes } from "../../transport/http/types.ts";
import { parseDocument } from "../json/document.ts";
import { notFiniteOf } from "../json/not-finite.ts";
import { modelMetadata, modelStatistics, serverMetadata } from "./describe.ts";
import { createReader } from "./inputs.ts";
import { classesOf, wantedOutputs, writeResponse } from "./outputs.ts";
import { type InferEnvelope, indexRequestSchema } from "./schema.ts";

/**
 * The Open Inference Protocol v2 over HTTP.
 * @param now milliseconds, on the clock of an InferenceCall's deadline
 */
export const createOpenInference = (service: Service, now: () => number = () => performance.now()): Routes => {
  const { model } = service;
  const get = (answer: () => unknown) => ({ GET: () => json(200, answer()) });
  const whenReady = (answer: object) => ({
    GET: () =>
      service.ready() ? json(200, answer) : json(503, { error: "not ready: the server does not accept requests" }),
  });
  const metadata = modelMetadata(model);
  const statistics = get(() => modelStatistics(model, service.statistics()));
  const index: Handle = ({ body }) => json(200, repositoryIndex(service, body));
  const infer = { POST: createInfer(service, now) };
  const paths: [string, Partial<Record<"GET" | "POST", Handle>>][] = [
    ["/v2", get(() => serverMetadata(service.serverVersion))],
    ["/v2/health/live", get(() => ({ live: true }))],
    ["/v2/health/ready", whenReady({ ready: true })],
    ["/v2/models/stats", statistics],
    ["/v2/repository/index", { GET: index, POST: index }],
  ];
  for (const base of modelPaths(model)) {
    paths.push(
      [base, get(() => metadata)],
      [`${base}/ready`, whenReady({ name: model.name, ready: true })],
      [`${base}/stats`, statistics],
      [`${base}/infer`, infer],
    );
  }
  return { paths: new Map(paths), explain: (path) => explain(model, path) };
};

export const modelPaths = ({ name, version }: Model): string[] => [
  `/v2/models/${name}`,
  `/v2/models/${name}/versions/${version}`,
];

const json = (status: number, body: unknown): HttpResponse => ({
  status,
  headers: { "content-type": "application/json" },
  parts: [JSON.stringify(body)],
});

const createInfer = (service: Service, now: () => number): Handle => {
  const { model } = service;
  const read = createReader(model);
  return async (request) => {
    const jsonBytes = request.header("inference-header-content-length");
    if (jsonBytes === "0" && request.header("content-type")?.startsWith("application/json") === true) {
      throw invalid(
        "Inference-Header-Content-Length is 0, but the body is application/json; leave the header out, or send the input's bytes as application/octet-stream",
      );
    }
    const notFinite = notFiniteOf(request.query);
    const parsed = read(request.body, jsonBytes);
    const { id, parameters } = parsed.envelope;
    const outputs = wantedOutputs(model, parsed);
    const call: InferenceCall = { inputs: parsed.inputs, outputs: outputs.map(({ name }) => name) };
    const classes = classesOf(outputs);
    if (classes !== undefined) call.classes = classes;
    if (parameters !== undefined && parameters !== null) schedule(call, parameters, now);
    const inference = service.infer(call);
    // Not a closure: made here it was seen to keep all of the request alive until a major collection (pauses of 3 to 5 ms).
    request.onGone = inference.cancel;
    return writeResponse(model, id, outputs, await inference.result, notFinite);
  };
};

/** The parameters of the schedule policy extension: `timeout` in microseconds, and `priority`; 0 is the default of both. */
const schedule = (
  call: InferenceCall,
  parameters: NonNullable<InferEnvelope["parameters"]>,
  now: () => number,
): void => {
  const timeout = whole(parameters, "timeout");
  if (timeout > 0) call.deadline = now() + timeout / 1000;
  const priority = whole(parameters, "priority");
  if (priority > 0) call.priority = priority;
};

const whole = (parameters: NonNullable<InferEnvelope["parameters"]>, name: string): number => {
  const value = parameters[name] ?? 0;
  const number = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw invalid(
    `the request's parameter ${name} must be a whole number from 0${name === "timeout" ? ", in microseconds" : ""}`,
  );
};

const repositoryIndex = (service: Service, body: Uint8Array) => {
  const { model } = service;
  const value = body.length === 0 ? {} : parseDocument(body, () => undefined);
  const wanted = indexRequestSchema.safeParse(value);
  if (!wanted.success) throw invalid('the request must be {} or {"ready": true}');
  const ready = service.ready();
  if (wanted.data.ready === true && !ready) return [];
  const state = ready
    ? { state: "READY", reason: "" }
    : { state: "UNAVAILABLE", reason: "the server does not accept requests" };
  return [{ name: model.name, version: model.version, ...state }];
};

const explain = (model: Model, path: string): string | undefined => {
  if (path !== "/v2" && !path.startsWith("/v2/")) return undefined;
  const match = /^\/v2\/models\/([^/]{1,253})(?:\/versions\/([^/]{1,63}))?(?:\/|$)/.exec(path);
  if (match === null)
    return "no such path; the Open Inference Protocol's paths are /v2, /v2/health/{live,ready}, /v2/models/NAME, /v2/models/stats and /v2/repository/index";
  if (match[1] !== model.name) return `model "${match[1]}" is unknown; this server has "${model.name}"`;
  if (match[2] !== undefined && match[2] !== model.version) {
    return `version "${match[2]}" of model "${model.name}" is unknown; this server has "${model.version}"`;
  }
  return `no such path below model "${model.name}"; there are /infer, /ready and /stats`;
};
