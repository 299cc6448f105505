import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { connect as http2 } from "node:http2";
import { Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, connectivityState, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { z } from "zod";
import { handTimers } from "../../../test/world/hand-timers.ts";
import { PATIENCE_MS, until } from "../../../test/world/patience.ts";
import { YOUNG_MS } from "../../memory/room.ts";
import { AS_BYTES } from "./as-bytes.ts";
import { createGrpcServer, type GrpcServerOptions } from "./server.ts";
import { CallError, STATUS } from "./status.ts";
import type { GrpcService, LongCalls, UnaryMethod } from "./types.ts";

const OPTIONS: GrpcServerOptions = {
  maxMessageBytes: 1024 * 1024,
  maxConnectionAgeMs: 60_000,
  graceMs: PATIENCE_MS,
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

/** A server whose ModelInfer answers with the id of the request, once `ready` is. */
const startServer = async (
  options: Partial<GrpcServerOptions> = {},
  ready: () => Promise<unknown> = () => sleep(5, undefined, { ref: false }),
) => {
  const methods: GrpcService["methods"] = Object.fromEntries(
    Object.keys(inference).map((name) => [name, unimplemented]),
  );
  const infer: UnaryMethod<{ id: string }> = {
    answer: async ({ id }) => {
      await ready();
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
type Started = Awaited<ReturnType<typeof startServer>>;

/** Calls of ModelInfer that have ended with this status. */
const inferred = ({ server }: Started, code: number): number =>
  server.snapshot().calls.find(({ method }) => method.endsWith("/ModelInfer"))?.codes[code] ?? 0;
const underWay = ({ server }: Started): Promise<void> =>
  until("a call under way", () => server.snapshot().calls.some(({ inFlight }) => inFlight > 0), server.snapshot);

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

test("a call that is long to read is answered in its turn, unless its client has gone meanwhile", async (t) => {
  const turns: { go(): void; cancelled: boolean }[] = [];
  const long: LongCalls = {
    ask() {
      const { promise, resolve } = Promise.withResolvers<void>();
      const one = { go: resolve, cancelled: false };
      turns.push(one);
      const cancel = () => {
        one.cancelled = true;
      };
      return { turn: promise, cancel };
    },
    resume: () => undefined,
  };
  let read = 0;
  const { port, server } = await startServer({ long }, async () => read++);
  const client = connect(`127.0.0.1:${port}`);
  t.after(() => {
    client.close();
    server.close();
  });
  const { path, requestDeserialize, requestSerialize } = methodOf(inference, "ModelInfer");
  const large = { id: "x".repeat(20_000) };

  const answered = ask(client, methodOf(inference, "ModelInfer"), large);
  await until("the call waits", () => turns.length === 1);
  assert.equal(read, 0);
  turns[0]?.go();
  assert.equal((await answered).error, null);
  assert.deepEqual([read, turns[0]?.cancelled], [1, false]);

  const left = client.makeUnaryRequest(path, requestSerialize, requestDeserialize, large, () => undefined);
  await until("the next one waits", () => turns.length === 2);
  left.cancel();
  await until("it waits no more", () => turns[1]?.cancelled === true);
  turns[1]?.go();
  assert.equal((await ask(client, methodOf(inference, "ModelInfer"))).error, null);
  assert.equal(read, 2, "the second was not read, and the third was short");
});

test("a client that holds what it sends loses it before others are refused", async (t) => {
  let now = 0;
  const started = await startServer({ now: () => now });
  const { server, port } = started;
  t.after(() => server.close());
  const infer = methodOf(inference, "ModelInfer");
  const greedy = http2(`http://127.0.0.1:${port}`);
  greedy.on("error", () => undefined);
  t.after(() => greedy.destroy());
  const head = Buffer.from([0, 0, 15, 0, 0]);
  const refused = () => inferred(started, status.RESOURCE_EXHAUSTED);
  for (let i = 0; i < 50; i++) {
    const headers = { ":method": "POST", ":path": infer.path, "content-type": "application/grpc", te: "trailers" };
    const stream = greedy.request(headers);
    stream.on("error", () => undefined);
    stream.write(Buffer.concat([head, Buffer.alloc(900_000)]));
  }
  // of 45 MB that never become whole messages, 16 MiB are held
  await until("30 calls that are refused", () => refused() >= 30, refused);
  now = YOUNG_MS;
  const honest = connect(`127.0.0.1:${port}`);
  t.after(() => honest.close());
  const before = refused();
  const answers = Array.from({ length: 5 }, () => ask(honest, infer, { id: "a".repeat(900_000) }));
  for (const { error } of await Promise.all(answers)) assert.equal(error, null);
  assert.ok(refused() > before, "nothing made room");
});

test("large metadata are refused, idle connections make room, and others are served", async () => {
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
  // what has no call makes room
  for (const one of clients) assert.equal((await ask(one, infer)).error, null);
  assert.ok(server.snapshot().connections <= 2);
  assert.equal((await ask(client, infer)).error, null);
  for (const one of [client, ...clients]) one.close();
  server.close();
});

test("under constant load not one call fails when a server drains, nor when connections grow old", async (t) => {
  let accepted = 0;
  const note = (message: unknown): void => {
    const { localPort } = z.object({ socket: z.instanceof(Socket) }).parse(message).socket;
    if (localPort === first.port || localPort === second.port) accepted++;
  };
  subscribe("net.server.socket", note);
  t.after(() => unsubscribe("net.server.socket", note));
  const timers = handTimers();
  const options = { after: timers.after, random: () => 0.5 };
  const [first, second] = [await startServer(options), await startServer(options)];
  let stop = false;
  const client = connect(`ipv4:127.0.0.1:${first.port},127.0.0.1:${second.port}`);
  t.after(() => {
    stop = true;
    client.close();
    for (const { server } of [first, second]) server.close();
  });
  const infer = methodOf(inference, "ModelInfer");
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
  const answered = (one: Started) => inferred(one, status.OK);
  const seen = () => ({ accepted, calls, failures });
  for (let connection = 1; connection <= 3; connection++) {
    if (connection > 1) timers.ring(OPTIONS.maxConnectionAgeMs);
    const before = calls;
    await until("100 calls on a new connection", () => accepted >= connection && calls > before + 100, seen);
  }
  const drained = answered(first) > answered(second) ? first : second;
  const other = drained === first ? second : first;
  const before = answered(other);
  await drained.server.drain();
  assert.equal(drained.server.snapshot().connections, 0);
  await until("100 more calls of the other", () => answered(other) > before + 100, seen);
  stop = true;
  await Promise.all(workers);
  assert.deepEqual(failures, []);
});

test("draining lets calls end that run, and ends those that outlast the grace", async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const started = await startServer({}, () => gate);
  const client = connect(`127.0.0.1:${started.port}`);
  const answered = ask(client, methodOf(inference, "ModelInfer"), { id: "slow" });
  await underWay(started);
  const drained = started.server.drain();
  open();
  await drained;
  assert.equal((await answered).error, null);
  client.close();

  const hung = await startServer({ graceMs: 100 }, () => new Promise(() => undefined));
  const other = connect(`127.0.0.1:${hung.port}`);
  const lost = ask(other, methodOf(inference, "ModelInfer"));
  await underWay(hung);
  await hung.server.drain();
  assert.notEqual((await lost).error, null);
  assert.notEqual(other.getChannel().getConnectivityState(false), connectivityState.READY);
  other.close();
});

test("a stream whose handler is not ready waits, and then all comes, in order and at little cost", async (t) => {
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
  await until("the handler", () => paused !== undefined);
  await sleep(100);
  assert.equal(count, 0);
  const before = process.cpuUsage();
  paused?.();
  await ended;
  assert.equal(count, all);
  const { system, user } = process.cpuUsage(before);
  assert.ok(system + user < 2e6, `it took ${(system + user) / 1000} ms of CPU`);
});

test("a watch that comes while the server leaves is ended as well", async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const started = await startServer({}, () => gate);
  const client = connect(`127.0.0.1:${started.port}`);
  const running = ask(client, methodOf(inference, "ModelInfer"), { id: "slow" });
  await underWay(started);
  const drained = started.server.drain();
  const { path, requestSerialize, responseDeserialize } = methodOf(health, "Watch");
  const watch = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: "" });
  const [error] = await once(watch, "error");
  assert.equal(error.code, status.UNAVAILABLE);
  open();
  await drained;
  assert.equal((await running).error, null);
  client.close();
});
