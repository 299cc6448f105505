/** A server that answers with what it is sent: our transports, or the library. Arguments: which, and its port. */
import { createServer } from "node:http";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { AS_BYTES } from "../../../runtime/transport/grpc/as-bytes.ts";
import { createGrpcServer } from "../../../runtime/transport/grpc/server.ts";
import { createHttpServer } from "../../../runtime/transport/http/index.ts";

const [kind = "", port = "0"] = process.argv.slice(2);
const PATH = "/v2/models/m/infer";
const SERVICE = "inference.GRPCInferenceService";
const MOST_BYTES = 64 * 1024 ** 2;
const PROTO = new URL("../../../runtime/protocols/open-inference/grpc/inference.proto", import.meta.url);
const report = (error: unknown): void => console.error(error);

const httpOurs = (): Promise<unknown> => {
  const paths = new Map([
    [PATH, { POST: ({ body }: { body: Uint8Array }) => ({ status: 200, headers: {}, parts: [body] }) }],
  ]);
  const options = { maxBodyBytes: MOST_BYTES, maxConnectionAgeMs: 3_600_000 };
  return createHttpServer([{ paths, explain: () => undefined }], options, { error: report }).listen(
    Number(port),
    "127.0.0.1",
  );
};

const httpLibrary = (): void => {
  createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces);
      response.writeHead(200, { "content-length": body.length }).end(body);
    });
  }).listen(Number(port), "127.0.0.1");
};

const grpcOurs = (): Promise<unknown> => {
  const service = {
    name: SERVICE,
    protoFiles: [PROTO],
    methods: { ModelInfer: { answer: (message: unknown) => message } },
    codecs: { ModelInfer: AS_BYTES },
  };
  const options = {
    maxMessageBytes: MOST_BYTES,
    ...{ maxConnectionAgeMs: 3_600_000, graceMs: 1000, maxConcurrentStreams: 256, maxConnections: 4096 },
    ...{ keepaliveMs: 60_000, keepaliveTimeoutMs: 20_000, healthNames: [] },
  };
  return createGrpcServer([service], options, report).listen(Number(port), "127.0.0.1");
};

const grpcLibrary = (): void => {
  const server = new Server({ "grpc.max_receive_message_length": MOST_BYTES });
  const same = (bytes: Buffer): Buffer => bytes;
  const method = {
    ...{ path: `/${SERVICE}/ModelInfer`, requestStream: false, responseStream: false },
    ...{ requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same },
  };
  server.addService(
    { ModelInfer: method },
    {
      ModelInfer: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) => done(null, call.request),
    },
  );
  server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) => {
    if (error !== null) throw error;
  });
};

const servers: Readonly<Record<string, () => unknown>> = {
  ...{ "http-ours": httpOurs, "http-library": httpLibrary },
  ...{ "grpc-ours": grpcOurs, "grpc-library": grpcLibrary },
};
const start = servers[kind];
if (start === undefined) throw new Error(`"${kind}" is none of ${Object.keys(servers).join(", ")}`);
await start();
