import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { PATIENCE_MS, until } from "../../../test/world/patience.ts";
import { TIMES } from "../../transport/http/times.ts";
import { createKeptBytes } from "../kept-bytes.ts";
import { createModelRouter, type ModelRouter } from "../model-router.ts";

const bytes = (value: Buffer): Buffer => value;
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  ...{ requestStream, responseStream },
  ...{ requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes },
});
const SERVICE = {
  unary: method("unary", false, false),
  down: method("down", false, true),
  both: method("both", true, true),
};

/** Answers with what it is sent; `fault`: with that status instead. */
const serve = async (fault?: grpc.status): Promise<{ port: number; calls: string[]; server: grpc.Server }> => {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  const calls: string[] = [];
  server.addService(SERVICE, {
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
      calls.push("unary");
      if (fault === undefined) answer(null, call.request);
      else answer({ code: fault, details: "as asked" });
    },
    down: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      calls.push("down");
      for (let i = 0; i < 3; i++) call.write(Buffer.from([i]));
      call.end();
    },
    both: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      calls.push("both");
      call.on("data", (message: Buffer) => call.write(message));
      call.on("end", () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { port, calls, server };
};

const pod = (name: string, port: number) => ({
  ...{ name, host: "127.0.0.1", httpPort: 1, grpcPort: port, isReady: true, isTerminating: false },
});

const routes = [
  { revision: "digits-a", role: "stable", weight: 1 },
  { revision: "digits-b", role: "canary", weight: 99 },
];

describe("gRPC through the router", () => {
  let router: ModelRouter;
  let client: grpc.Client;
  let stable: Awaited<ReturnType<typeof serve>>;
  let canary: Awaited<ReturnType<typeof serve>>;
  let failing: Awaited<ReturnType<typeof serve>>;

  before(async () => {
    [stable, canary, failing] = [await serve(), await serve(), await serve(grpc.status.INTERNAL)];
    router = createModelRouter(
      "digits",
      { maxRequests: 10, maxWaitMs: PATIENCE_MS, requestTimeoutMs: PATIENCE_MS, tolerances: new Map() },
      {
        kept: createKeptBytes(64 * 1024 ** 2),
        times: TIMES,
        ...{ cap: 256, maxHeldBytes: 2 ** 26, maxConnectionAgeMs: 300_000, maxConnections: 100 },
        now: () => performance.now(),
        random: () => 0,
        closing: () => false,
        report: (error) => assert.fail(String(error)),
      },
      () => undefined,
    );
    const port = await router.listener.listen(0, "127.0.0.1");
    client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
    });
    router.offer({ epoch: 1, routes });
    router.fleet.setPods("digits-a", [pod("a1", stable.port)]);
    router.fleet.setPods("digits-b", [pod("b1", canary.port)]);
  });
  after(() => {
    client.close();
    router.listener.close();
    for (const revision of ["digits-a", "digits-b"]) router.fleet.setPods(revision, []);
    for (const { server } of [stable, canary, failing]) server.forceShutdown();
  });

  const unary = (message: Buffer): Promise<{ answer?: Buffer | undefined; code: grpc.status; revision: unknown }> =>
    new Promise((resolve) => {
      let revision: unknown;
      const call = client.makeUnaryRequest(SERVICE.unary.path, bytes, bytes, message, (error, answer) =>
        resolve({ answer, code: error?.code ?? grpc.status.OK, revision }),
      );
      call.on("metadata", (metadata) => {
        revision = metadata.get("x-berth-revision")[0];
      });
    });

  it("sends a unary call to the canary, a large one to stable", async () => {
    const small = await unary(Buffer.from("hello"));
    assert.deepEqual([small.answer?.toString(), small.revision], ["hello", "digits-b"]);
    const message = Buffer.alloc(3 * 1024 ** 2, 5);
    const large = await unary(message);
    assert.ok(large.answer?.equals(message));
    assert.equal(large.revision, "digits-a");
  });

  it("keeps a stream of the client on stable, and passes messages on as they come", async () => {
    const call = client.makeBidiStreamRequest(SERVICE.both.path, bytes, bytes);
    const got: Buffer[] = [];
    const ended = new Promise((resolve) => call.on("end", resolve));
    call.on("data", (message: Buffer) => got.push(message));
    for (let i = 0; i < 3; i++) {
      call.write(Buffer.from([i]));
      await until(`message ${i} back`, () => got.length === i + 1);
    }
    call.end();
    await ended;
    assert.deepEqual([stable.calls.at(-1), canary.calls.includes("both")], ["both", false]);
  });

  it("passes a stream of the server on", async () => {
    const call = client.makeServerStreamRequest(SERVICE.down.path, bytes, bytes, Buffer.from("x"));
    const got: number[] = [];
    for await (const message of call) got.push(message[0]);
    assert.deepEqual(got, [0, 1, 2]);
  });

  it("asks stable where the canary fails or cannot be reached", async () => {
    for (const port of [failing.port, 1]) {
      router.fleet.setPods("digits-b", [pod(`b-${port}`, port)]);
      const { answer, code, revision } = await unary(Buffer.from("hello"));
      assert.deepEqual([code, answer?.toString(), revision], [grpc.status.OK, "hello", "digits-a"]);
    }
    const { counters } = router.fleet.arm("digits-b");
    assert.deepEqual([counters.replayed, counters.outcomes.serverError, counters.outcomes.unreachable], [2, 1, 1]);
  });

  it("passes a status of stable's as it is", async () => {
    router.offer({ epoch: 2, routes: [{ revision: "digits-a", role: "stable", weight: 100 }] });
    router.fleet.setPods("digits-a", [pod("a2", failing.port)]);
    assert.equal((await unary(Buffer.from("hello"))).code, grpc.status.INTERNAL);
  });

  it("says that no pod is ready as gRPC says it", async () => {
    router.configure({ maxRequests: 10, maxWaitMs: 50, requestTimeoutMs: 1000, tolerances: new Map() });
    router.fleet.setPods("digits-a", []);
    assert.equal((await unary(Buffer.from("hello"))).code, grpc.status.UNAVAILABLE);
  });
});
