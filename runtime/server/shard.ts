import type { Tensor } from "../engine/index.ts";
import { InferenceError } from "../engine/index.ts";
import { loadModel } from "../engine/onnxruntime.ts";
import { warmUp } from "../engine/warm-up.ts";
import { checkModelFile } from "../models/verify.ts";
import { RequestError } from "../protocols/open-inference/errors.ts";
import type { InferRequest } from "../protocols/open-inference/request.ts";
import { createRestHandler } from "../protocols/open-inference/rest.ts";
import { createShardMetrics } from "../telemetry/metrics.ts";
import { Failure } from "../termination.ts";
import { drain } from "./drain.ts";
import { BOUNDS, createDataServer, type DataServer } from "./http.ts";
import { type ShardMessage, type StartMessage, supervisorMessageSchema } from "./messages.ts";

// The process that owns the onnxruntime session and the data port. It may hang or crash; its supervisor does not.

const tell = (message: ShardMessage): void => {
  process.send?.(message);
};
const metrics = createShardMetrics();
let data: DataServer | undefined;
let draining = false;

// One run after the other: a run blocks the event loop, which must turn between two so that hangs are told from queues.
let previous: Promise<unknown> = Promise.resolve();
const pauseRuns = async (): Promise<() => void> => {
  const last = previous;
  const pause = Promise.withResolvers<void>();
  previous = pause.promise;
  await last;
  return pause.resolve;
};

const start = async (options: StartMessage): Promise<void> => {
  checkModelFile(options.model);
  const loadStarted = performance.now();
  const engine = await loadModel(options.model, options.executionProvider);
  tell({ type: "loaded", loadSeconds: seconds(loadStarted) });
  const warmUpStarted = performance.now();
  const warm = await warmUp(engine);
  const warmUpSeconds = seconds(warmUpStarted);

  const infer = (request: InferRequest): Promise<Map<string, Tensor>> => {
    const deadline = performance.now() + options.requestTimeoutMs;
    const run = previous.then(async () => {
      if (performance.now() > deadline) throw new RequestError(504, "the request waited longer than --request-timeout");
      const runStarted = performance.now();
      try {
        return await engine.run(
          request.inputs,
          request.outputs.map(({ name }) => name),
        );
      } catch (error) {
        if (!(error instanceof InferenceError)) throw error;
        throw new RequestError(error.blame === "input" ? 400 : 500, `the model failed: ${error.message}`);
      } finally {
        metrics.inferenceSeconds.observe(seconds(runStarted));
      }
    });
    previous = run.catch(() => undefined);
    return run;
  };
  const model = { name: options.name, version: options.modelVersion, inputs: engine.inputs, outputs: engine.outputs };
  const handle = createRestHandler({ model, serverVersion: options.serverVersion, ready: () => !draining, infer });
  data = createDataServer(handle, metrics, { ...BOUNDS, maxBodyBytes: options.maxBodyBytes }, (error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  });
  const port = await listen(data, options);
  const { inputs, outputs } = model;
  tell({ type: "ready", port, inputs: [...inputs], outputs: [...outputs], warmUp: warm, warmUpSeconds });
};

const listen = (to: DataServer, { httpPort, host }: StartMessage): Promise<number> =>
  new Promise((resolve, reject) => {
    to.server.once("error", reject);
    to.server.listen(httpPort, host, () => {
      const address = to.server.address();
      resolve(typeof address === "object" && address !== null ? address.port : httpPort);
    });
  });

const seconds = (since: number): number => (performance.now() - since) / 1000;

const report = (error: unknown): void => {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Failure ? error.code : undefined;
  if (code === "ModelInvalid" || code === "ExecutionProviderUnavailable" || code === "WarmUpFailed") {
    tell({ type: "failed", code, message });
  } else {
    tell({ type: "unable", message });
  }
};

process.on("message", (raw) => {
  const message = supervisorMessageSchema.parse(raw);
  switch (message.type) {
    case "start":
      start(message).catch(report);
      return;
    case "ping":
      tell({ type: "pong" });
      return;
    case "collect":
      metrics.inFlight.set(data?.inFlight() ?? 0);
      void metrics.registry.getMetricsAsJSON().then((collected) => {
        tell({ type: "metrics", metrics: collected.map((metric) => ({ ...metric })) });
      });
      return;
    case "drain":
      draining = true;
      void (data === undefined ? Promise.resolve() : drain(data, message.quietMs, message.acceptMs, pauseRuns)).then(
        () => {
          tell({ type: "drained" });
        },
      );
  }
});
// A terminal sends Ctrl-C to the whole process group: when to end is the supervisor's decision.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
process.on("disconnect", () => process.exit(0));
