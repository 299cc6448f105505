import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as http2 } from "node:http2";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, connectivityState, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { YOUNG_MS } from "../shares.ts";
import { AS_BYTES } from "./as-bytes.ts";
import { createGrpcServer, type GrpcServerOptions } from "./server.ts";
import { CallError, STATUS } from "./status.ts";
import type { GrpcService, UnaryMethod } from "./types.ts";

const OPTIONS: GrpcServerOptions = {
  maxMessageBytes: 1024 * 1024,
  maxConnectionAgeMs: 60_000,
  graceMs: 2000,
  maxConcurrentStreams: 100,
  maxConnections: 10,
  keepaliveMs: 10_000,
  keepaliveTimeoutMs: 10_000,
  healthNames: ["mlp"],
};

const INFERENCE = new URL("../../protocols/open-inference/grpc/inference.proto", import.meta.url);
const HEALTH = new URL("health.proto", import.meta.url);
const definitions = loadSync([fileURLToPath(INFERENCE), fileURLToPath(HEALTH)], {
  keepCase: true,
  defaults: true,
  enums: String,
});
const serviceOf = (name: string) => {
  const service = definitions[name];
  assert.ok(service !== undefined && !("format" in service));
  return service;
};
const health = serviceOf("grpc.health.v1.Health");
const inference = serviceOf("inference.GRPCInferenceService");
const methodOf = (service: ReturnType<typeof serviceOf>, name: string) => {
  const method = service[name];
  assert.ok(method !== undefined);
  return method;
};

const unimplemented: UnaryMethod = {
  answer: () => {
    throw new CallError(STATUS.UNIMPLEMENTED, "not here");
  },
};

/** A server whose ModelInfer answers after `delayMs`, with the id of the request. */
const startServer = async (options: Partial<GrpcServerOptions> = {}, delayMs = 5) => {
  const methods: GrpcService["methods"] = Object.fromEntries(
    Object.keys(inference).map((name) => [name, unimplemented]),
  );
  const infer: UnaryMethod<{ id: string }> = {
    answer: async ({ id }) => {
      await sleep(delayMs, undefined, { ref: false });
      return { id };
    },
  };
  methods.ModelInfer = infer;
  methods.ServerLive = {
    answer: () => {
      throw new Error("secret");
    },
  };
  const service = { name: "inference.GRPCInferenceService", protoFiles: [INFERENCE], methods };
  const server = createGrpcServer([service], { ...OPTIONS, ...options }, () => {});
  const port = await server.listen(0, "127.0.0.1");
  return { server, port };
};

const ask = (
  client: Client,
  { path, requestSerialize, responseDeserialize }: (typeof inference)[string],
  request: object = {},
  metadata = new Metadata(),
) =>
  new Promise<{ error: ServiceError | null; value: unknown }>((resolve) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error, value) =>
      resolve({ error, value }),
    );
  });
const connect = (address: string, options: object = {}) => new Client(address, credentials.createInsecure(), options);

test("health is told per name, watched as it changes, and ended by draining", async () => {
  const { server, port } = await startServer();
  const client = connect(`127.0.0.1:${port}`);
  const check = methodOf(health, "Check");
  assert.deepEqual((await ask(client, check)).value, { status: "NOT_SERVING" });
  const { path, requestSerialize, responseDeserialize } = methodOf(health, "Watch");
  const watch = (service: string) =>
    client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service });
  const watched = watch("mlp");
  assert.deepEqual(await once(watched, "data"), [{ status: "NOT_SERVING" }]);
  const unknown = watch("other");
  assert.deepEqual(await once(unknown, "data"), [{ status: "SERVICE_UNKNOWN" }]);
  const change = once(watched, "data");
  server.setServing(true);
  assert.deepEqual(await change, [{ status: "SERVING" }]);
  for (const service of ["", "mlp", "inference.GRPCInferenceService"]) {
    assert.deepEqual((await ask(client, check, { service })).value, { status: "SERVING" });
  }
  assert.equal((await ask(client, check, { service: "other" })).error?.code, status.NOT_FOUND);
  const ended = Promise.all([once(watched, "error"), once(unknown, "error")]);
  await server.drain();
  assert.deepEqual(
    (await ended).map(([error]) => error.code),
    [status.UNAVAILABLE, status.UNAVAILABLE],
  );
  client.close();
  server.close();
});

test("reflection lists the services and describes them, in both versions", async () => {
  const { server, port } = await startServer();
  const client = connect(`127.0.0.1:${port}`);
  const asItIs = (bytes: Buffer): Buffer => bytes;
  for (const version of ["v1", "v1alpha"]) {
    const stream = client.makeBidiStreamRequest(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      asItIs,
      asItIs,
    );
    // list_services = "*" (field 7)
    stream.write(Buffer.from([0x3a, 1, 0x2a]));
    const [list] = await once(stream, "data");
    assert.match(String(list), /inference\.GRPCInferenceService/);
    assert.match(String(list), /grpc\.health\.v1\.Health/);
    // file_containing_symbol (field 4)
    const symbol = "inference.GRPCInferenceService";
    stream.write(Buffer.concat([Buffer.from([0x22, symbol.length]), Buffer.from(symbol)]));
    const [file] = await once(stream, "data");
    assert.match(String(file), /raw_input_contents/);
    stream.end();
    await once(stream.resume(), "end");
    const broken = client.makeBidiStreamRequest(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      asItIs,
      asItIs,
    );
    broken.resume().end(Buffer.from([0x3e]));
    const [error] = await once(broken, "error");
    assert.equal(error.code, status.INVALID_ARGUMENT);
  }
  client.close();
  server.close();
});

test("calls are counted by method and status; what a handler throws is Internal and tells nothing", async () => {
  const { server, port } = await startServer();
  const client = connect(`127.0.0.1:${port}`);
  for (let i = 0; i < 3; i++) await ask(client, methodOf(inference, "ModelInfer"));
  await ask(client, methodOf(inference, "ModelReady"));
  const { error } = await ask(client, methodOf(inference, "ServerLive"));
  assert.equal(error?.code, status.INTERNAL);
  assert.doesNotMatch(error.details, /secret/);
  const { calls, connections } = structuredClone(server.snapshot());
  assert.equal(connections, 1);
  const of = (name: string) => calls.find(({ method }) => method === `/inference.GRPCInferenceService/${name}`);
  assert.deepEqual([of("ModelInfer")?.codes[status.OK], of("ModelInfer")?.inFlight], [3, 0]);
  assert.equal(of("ModelReady")?.codes[status.UNIMPLEMENTED], 1);
  assert.equal(of("ServerLive")?.codes[status.INTERNAL], 1);
  client.close();
  server.close();
});

test("a client that holds what it sends loses it before others are refused", async (t) => {
  const { server, port } = await startServer();
  t.after(() => server.close());
  const infer = methodOf(inference, "ModelInfer");
  const greedy = http2(`http://127.0.0.1:${port}`);
  greedy.on("error", () => undefined);
  t.after(() => greedy.destroy());
  const head = Buffer.from([0, 0, 15, 0, 0]);
  const refused = () =>
    server.snapshot().calls.find(({ method }) => method === infer.path)?.codes[status.RESOURCE_EXHAUSTED] ?? 0;
  for (let i = 0; i < 50; i++) {
    const headers = { ":method": "POST", ":path": infer.path, "content-type": "application/grpc", te: "trailers" };
    const stream = greedy.request(headers);
    stream.on("error", () => undefined);
    stream.write(Buffer.concat([head, Buffer.alloc(900_000)]));
  }
  // of 45 MB that never become whole messages, 16 MiB are held
  while (refused() < 30) await sleep(5);
  await sleep(YOUNG_MS);
  const honest = connect(`127.0.0.1:${port}`);
  t.after(() => honest.close());
  const before = refused();
  const answers = Array.from({ length: 5 }, () => ask(honest, infer, { id: "a".repeat(900_000) }));
  for (const { error } of await Promise.all(answers)) assert.equal(error, null);
  assert.ok(refused() > before, "nothing made room");
});

test("large metadata and too many connections are refused, and others are served", async () => {
  const { server, port } = await startServer({ maxConnections: 2 });
  const infer = methodOf(inference, "ModelInfer");
  const client = connect(`127.0.0.1:${port}`);
  const flood = connect(`127.0.0.1:${port}`, { "grpc.use_local_subchannel_pool": 1 });
  const metadata = new Metadata();
  metadata.set("x", "y".repeat(200_000));
  assert.notEqual((await ask(flood, infer, {}, metadata)).error, null);
  assert.equal((await ask(client, infer, { id: "a" })).error, null);
  flood.close();
  const clients = Array.from({ length: 6 }, () =>
    connect(`127.0.0.1:${port}`, { "grpc.use_local_subchannel_pool": 1 }),
  );
  const failed = (await Promise.all(clients.map((one) => ask(one, infer)))).filter(({ error }) => error !== null);
  assert.ok(failed.length >= 4, `${failed.length} of 6 failed`);
  for (const { error } of failed) assert.equal(error?.code, status.UNAVAILABLE);
  assert.ok(server.snapshot().connections <= 2);
  assert.equal((await ask(client, infer)).error, null);
  for (const one of [client, ...clients]) one.close();
  server.close();
});

test("under constant load not one call fails when a server drains, nor when connections grow old", async () => {
  const first = await startServer({ maxConnectionAgeMs: 150 });
  const second = await startServer({ maxConnectionAgeMs: 150 });
  const client = connect(`ipv4:127.0.0.1:${first.port},127.0.0.1:${second.port}`);
  const infer = methodOf(inference, "ModelInfer");
  let stop = false;
  let calls = 0;
  const failures: string[] = [];
  const worker = async (name: number): Promise<void> => {
    for (let i = 0; !stop; i++) {
      const { error, value } = await ask(client, infer, { id: `${name}-${i}` });
      calls++;
      if (error !== null) failures.push(error.message);
      else assert.match(JSON.stringify(value), new RegExp(`"id":"${name}-${i}"`));
    }
  };
  const workers = Array.from({ length: 20 }, (_, name) => worker(name));
  const callsOf = ({ server }: typeof first) =>
    server.snapshot().calls.find(({ method }) => method.endsWith("/ModelInfer"))?.codes[status.OK] ?? 0;
  const until = async (reached: () => boolean): Promise<void> => {
    while (!reached()) await new Promise(setImmediate);
  };
  const start = performance.now();
  // Longer than two ages: connections have been replaced.
  await until(() => performance.now() - start > 400);
  const drained = callsOf(first) > callsOf(second) ? first : second;
  const other = drained === first ? second : first;
  const before = callsOf(other);
  await drained.server.drain();
  assert.equal(drained.server.snapshot().connections, 0);
  await until(() => callsOf(other) > before + 100);
  stop = true;
  await Promise.all(workers);
  assert.deepEqual(failures, []);
  assert.ok(calls > 100, `only ${calls} calls`);
  client.close();
  other.server.close();
});

test("draining lets calls end that run, and ends those that outlast the grace", async () => {
  const { server, port } = await startServer({ graceMs: 300 }, 100);
  const client = connect(`127.0.0.1:${port}`);
  const answered = ask(client, methodOf(inference, "ModelInfer"), { id: "slow" });
  while (server.snapshot().calls.every(({ inFlight }) => inFlight === 0)) await new Promise(setImmediate);
  await server.drain();
  assert.equal((await answered).error, null);
  client.close();

  const hung = await startServer({ graceMs: 100 }, 60_000_000);
  const other = connect(`127.0.0.1:${hung.port}`);
  const lost = ask(other, methodOf(inference, "ModelInfer"));
  while (hung.server.snapshot().calls.every(({ inFlight }) => inFlight === 0)) await new Promise(setImmediate);
  const start = performance.now();
  await hung.server.drain();
  assert.ok(performance.now() - start < 1000);
  assert.notEqual((await lost).error, null);
  assert.notEqual(other.getChannel().getConnectivityState(false), connectivityState.READY);
  other.close();
});

test("a stream whose handler is not ready waits, and then all comes, in order and in no time", async (t) => {
  let paused: (() => void) | undefined;
  let count = 0;
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const service: GrpcService = {
    name: "a.B",
    protoFiles: [],
    methods: {
      C: {
        open: (call) => {
          call.pause();
          paused = call.resume;
          return { message: () => count++, end: resolve };
        },
      },
    },
    codecs: { C: AS_BYTES },
  };
  const options = { ...OPTIONS, maxMessageBytes: 8 * OPTIONS.maxMessageBytes };
  const server = createGrpcServer([service], options, (error) => assert.fail(String(error)));
  const port = await server.listen(0, "127.0.0.1");
  t.after(() => server.close());
  const session = http2(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  const headers = { ":method": "POST", ":path": "/a.B/C", "content-type": "application/grpc", te: "trailers" };
  const stream = session.request(headers);
  // empty messages, each five bytes: more of them than of any other fit into the window
  const all = 200_000;
  stream.end(Buffer.alloc(5 * all));
  while (paused === undefined) await sleep(1);
  await sleep(100);
  assert.equal(count, 0);
  const start = performance.now();
  paused();
  await ended;
  assert.equal(count, all);
  assert.ok(performance.now() - start < 2000);
});

test("a watch that comes while the server leaves is ended as well", async () => {
  const { server, port } = await startServer({ graceMs: 5000 }, 300);
  const client = connect(`127.0.0.1:${port}`);
  const running = ask(client, methodOf(inference, "ModelInfer"), { id: "slow" });
  while (server.snapshot().calls.every(({ inFlight }) => inFlight === 0)) await new Promise(setImmediate);
  const drained = server.drain();
  const { path, requestSerialize, responseDeserialize } = methodOf(health, "Watch");
  const watch = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: "" });
  const [error] = await once(watch, "error");
  assert.equal(error.code, status.UNAVAILABLE);
  await drained;
  assert.equal((await running).error, null);
  client.close();
});
