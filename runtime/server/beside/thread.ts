import { parentPort, workerData } from "node:worker_threads";
import type { InferenceCall, Service } from "../../inference/index.ts";
import { createInferenceService } from "../../protocols/open-inference/grpc/service.ts";
import { createOpenInference } from "../../protocols/open-inference/index.ts";
import { createGrpcServices } from "../../protocols/tensorflow-serving/grpc.ts";
import { createRoutes } from "../../protocols/tensorflow-serving/rest.ts";
import type { UnaryCall } from "../../transport/grpc/types.ts";
import { createRouter } from "../../transport/http/router.ts";
import type { HttpRequest } from "../../transport/http/types.ts";
import { errorOf, tellable } from "./errors.ts";
import type { Asked, Done, FromThread, Outputs, Response, ThreadStart, ToThread } from "./messages.ts";
import { createParcel } from "./transfer.ts";

// The thread beside the door: reads and writes for the protocols what would hold the door's event loop. It knows all paths and
// methods that infer; for an inference it asks the door.

const start: ThreadStart = workerData;
const offset = performance.timeOrigin - start.timeOrigin;
const now = (): number => performance.now() + offset;

type Run = { resolve(outputs: Outputs): void; reject(error: Error): void };
type Request = { runs: Run[]; onGone: (() => void) | undefined; done: Done | undefined };
const requests = new Map<number, Request>();

const tell = (message: FromThread, list: ArrayBuffer[] = []): void => parentPort?.postMessage(message, list);

const same = (one: InferenceCall, other: InferenceCall): boolean =>
  one.inputs.size === other.inputs.size &&
  one.outputs.join("\0") === other.outputs.join("\0") &&
  [...one.inputs].every(([name, { shape, bytes }]) => {
    const match = other.inputs.get(name);
    return match !== undefined && String(match.shape) === String(shape) && Buffer.compare(match.bytes, bytes) === 0;
  });

/** What the request that is being read asks is asked of the door, unless it is what the door has had done already. */
const inferFor = (id: number, request: Request, call: InferenceCall): ReturnType<Service["infer"]> => {
  const { done } = request;
  if (done !== undefined && same(done.call, call))
    return { result: Promise.resolve(done.outputs), cancel: () => undefined };
  const run = request.runs.length;
  const result = new Promise<Outputs>((resolve, reject) => request.runs.push({ resolve, reject }));
  const parcel = createParcel(true);
  tell({ type: "infer", id, run, call: { ...call, inputs: parcel.tensors(call.inputs) } }, parcel.list());
  return { result, cancel: () => tell({ type: "cancel", id, run }) };
};

/** A service for one request, so that its inferences are known to be its own. */
const serviceFor = (id: number, request: Request): Service => ({
  model: start.model,
  serverVersion: start.serverVersion,
  ready: () => true,
  infer: (call) => inferFor(id, request, call),
  statistics: () => {
    throw new Error("the offload worker has no statistics");
  },
});

const answer = async (service: Service, request: Request, asked: Asked): Promise<Response> => {
  if (asked.kind === "grpc") return { kind: "grpc", message: await answerGrpc(service, request, asked) };
  const router = createRouter([createOpenInference(service, now), createRoutes(service)]);
  const handle = router.find("POST", asked.path);
  if (typeof handle !== "function") throw new Error(`the offload worker has no handler for ${asked.path}`);
  const http: HttpRequest = {
    method: "POST",
    path: asked.path,
    query: asked.query,
    body: asked.body,
    header: (name) => asked.headers[name],
    onGone: undefined,
  };
  request.onGone = () => http.onGone?.();
  return { kind: "http", ...(await handle(http)) };
};

const answerGrpc = async (
  service: Service,
  request: Request,
  { path, message, deadline }: Extract<Asked, { kind: "grpc" }>,
): Promise<Uint8Array> => {
  const [, name = "", method = ""] = path.split("/");
  const report = (error: unknown): void => {
    throw error;
  };
  const services = [
    createInferenceService(service, report, now),
    ...createGrpcServices(service, { maxTensorBytes: start.maxTensorBytes }),
  ];
  const found = services.find((one) => one.name === name);
  const unary = found?.methods[method];
  const codec = found?.codecs?.[method];
  if (unary === undefined || !("answer" in unary) || codec === undefined) {
    throw new Error(`the offload worker has no handler for ${path}`);
  }
  const call: UnaryCall = { deadline, onCancelled: undefined };
  request.onGone = () => call.onCancelled?.();
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
  return codec.responseSerialize(await unary.answer(codec.requestDeserialize(bytes), call));
};

const ask = async (id: number, asked: Asked): Promise<void> => {
  const request: Request = { runs: [], onGone: undefined, done: asked.done };
  requests.set(id, request);
  try {
    const response = await answer(serviceFor(id, request), request, asked);
    const parcel = createParcel(true);
    const sent: Response =
      response.kind === "grpc"
        ? { ...response, message: parcel.view(response.message) }
        : { ...response, parts: response.parts.map((part) => (typeof part === "string" ? part : parcel.view(part))) };
    tell({ type: "response", id, response: sent }, parcel.list());
  } catch (error) {
    tell({ type: "refused", id, error: tellable(error) });
  } finally {
    requests.delete(id);
  }
};

parentPort?.on("message", (message: ToThread) => {
  // after all that follows from it without waiting for the door
  if (message.type !== "gone") setImmediate(() => tell({ type: "turned", id: message.id }));
  const request = requests.get(message.id);
  switch (message.type) {
    case "ask":
      void ask(message.id, message.asked);
      return;
    case "outputs":
      request?.runs[message.run]?.resolve(message.outputs);
      return;
    case "failed":
      request?.runs[message.run]?.reject(errorOf(message.error));
      return;
    case "gone":
      request?.onGone?.();
  }
});
