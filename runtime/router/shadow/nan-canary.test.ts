/** A router, real servers behind it, and a canary that answers one in 25 requests with NaN. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { describe, it, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import * as grpc from "@grpc/grpc-js";
import { PATIENCE_MS, until } from "../../../test/world/patience.ts";
import { type JsonText, writeFlat, writeNested } from "../../protocols/json/write.ts";
import { createEncoder } from "../../protocols/open-inference/grpc/response.ts";
import { writeTensorProto } from "../../protocols/tensorflow-serving/tensor-proto.ts";
import { addEntry, finish, pieces } from "../../protocols/tensorflow-serving/wire.ts";
import { bytesOf, type Tensor } from "../../tensors/index.ts";
import { TIMES } from "../../transport/http/times.ts";
import { createKeptBytes } from "../kept-bytes.ts";
import { createModelRouter, type ModelRouter } from "../model-router.ts";

const REQUESTS = 50;
const EVERY = 25;

const scores = (lost: boolean): Tensor => {
  const values = Float32Array.of(0.25, lost ? Number.NaN : 0.75);
  return { datatype: "FP32", shape: [1, 2], bytes: bytesOf(values) };
};
const textOf = (parts: JsonText): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part)));
const openInference = (lost: boolean): Buffer =>
  textOf([
    `{"model_name":"m","outputs":[{"name":"p","datatype":"FP32","shape":[1,2],"data":`,
    ...[...writeFlat(scores(lost)), "}]}"],
  ]);
const predictions = (lost: boolean): Buffer => textOf([`{"predictions":`, ...writeNested(scores(lost)), "}"]);
const raw = (lost: boolean): { head: string; body: Buffer } => {
  const head = `{"outputs":[{"name":"p","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}]}`;
  return { head, body: Buffer.concat([Buffer.from(head), scores(lost).bytes]) };
};

/** Answers in the form that the path asks for. */
const serveHttp = async (t: TestContext, lost: () => boolean): Promise<number> => {
  const answer: RequestListener = (request, response) => {
    request.resume().once("end", () => {
      const url = request.url ?? "";
      if (url.endsWith(":predict")) response.end(predictions(lost()));
      else if (url.endsWith("?binary")) {
        const { body, head } = raw(lost());
        response.setHeader("inference-header-content-length", head.length).end(body);
      } else if (url.endsWith("?gzip"))
        response.setHeader("content-encoding", "gzip").end(gzipSync(openInference(lost())));
      else response.end(openInference(lost()));
    });
  };
  const server = createServer(answer);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

const bytes = (value: Buffer): Buffer => value;
const unary = (path: string) => ({
  ...{ path, requestStream: false, responseStream: false },
  ...{ requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes },
});
const INFER = "/inference.GRPCInferenceService/ModelInfer";
const PREDICT = "/tensorflow.serving.PredictionService/Predict";
const READY = "/inference.GRPCInferenceService/ServerReady";

const serveGrpc = async (t: TestContext, lost: () => boolean): Promise<number> => {
  const encoder = createEncoder({ name: "m", version: "1", inputs: [], outputs: [] });
  const server = new grpc.Server();
  const answering =
    (make: () => Buffer): grpc.handleUnaryCall<Buffer, Buffer> =>
    (_call, answer) =>
      answer(null, make());
  server.addService(
    { infer: unary(INFER), predict: unary(PREDICT), ready: unary(READY) },
    {
      infer: answering(() => encoder.response({ id: "", outputs: [["p", scores(lost())]] })),
      predict: answering(() => {
        const answer = pieces();
        addEntry(answer, 1, "p", writeTensorProto(scores(lost())));
        return finish(answer);
      }),
      ready: answering(() => Buffer.of(8, 1)),
    },
  );
  t.after(() => server.forceShutdown());
  return new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  );
};

const start = async (t: TestContext): Promise<{ router: ModelRouter; port: number }> => {
  const router = createModelRouter(
    "m",
    { maxRequests: 10, maxWaitMs: PATIENCE_MS, requestTimeoutMs: PATIENCE_MS, tolerances: new Map() },
    {
      kept: createKeptBytes(64 * 1024 ** 2),
      times: TIMES,
      ...{ cap: 256, maxHeldBytes: 2 ** 26, maxConnectionAgeMs: 300_000, maxConnections: 100 },
      now: () => performance.now(),
      // every request is copied, and none of them to stable
      random: () => 0.5,
      closing: () => false,
      report: (error) => assert.fail(String(error)),
    },
    () => undefined,
  );
  const port = await router.listener.listen(0, "127.0.0.1");
  t.after(() => {
    router.listener.close();
    for (const revision of ["a", "b"]) router.fleet.setPods(revision, []);
  });
  router.offer({
    epoch: 1,
    routes: [
      { revision: "a", role: "stable", weight: 100 },
      { revision: "b", role: "canary", weight: 0, shadow: 100 },
    ],
  });
  let asked = 0;
  const oneInMany = (): boolean => ++asked % EVERY === 0;
  for (const [revision, lost] of [
    ["a", () => false],
    ["b", oneInMany],
  ] as const)
    router.fleet.setPods(revision, [
      {
        ...{ name: revision, host: "127.0.0.1", isReady: true, isTerminating: false },
        httpPort: await serveHttp(t, lost),
        grpcPort: await serveGrpc(t, lost),
      },
    ]);
  return { router, port };
};

/** One after another, so that none is dropped. */
const compareAll = async (router: ModelRouter, send: () => Promise<unknown>): Promise<void> => {
  for (let i = 1; i <= REQUESTS; i++) {
    await send();
    await until(
      `pair ${i}`,
      () => router.shadow.canary.compared + router.shadow.incomparable + router.shadow.failed === i,
      () => router.shadow,
    );
  }
  const { canary, failed, incomparable } = router.shadow;
  assert.deepEqual([failed, incomparable, canary], [0, 0, { compared: REQUESTS, disagreed: REQUESTS / EVERY }]);
  assert.match(router.shadow.reason ?? "", /has numbers of stable where the canary has NaN/);
};

describe("a canary that answers NaN to one request in 25", () => {
  for (const path of [
    "/v2/models/m/infer",
    "/v2/models/m/infer?binary",
    "/v2/models/m/infer?gzip",
    "/v1/models/m:predict",
  ])
    it(`disagrees with stable as often, asked at ${path}`, async (t) => {
      const { port, router } = await start(t);
      await compareAll(router, async () => {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body: "{}" });
        assert.equal(answer.status, 200);
        await answer.arrayBuffer();
      });
    });

  for (const path of [INFER, PREDICT])
    it(`disagrees with stable as often, called by ${path}`, async (t) => {
      const { port, router } = await start(t);
      const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
      t.after(() => client.close());
      const call = (method: string): Promise<void> =>
        new Promise((resolve, reject) =>
          client.makeUnaryRequest(method, bytes, bytes, Buffer.alloc(0), (error) =>
            error === null ? resolve() : reject(error),
          ),
        );
      await compareAll(router, async () => {
        // probes beside it are no pairs that agree
        await call(READY);
        await call(path);
      });
    });
});
