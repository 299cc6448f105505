/** How one request is put to a server, and how the numbers are read from its answer. */
import { join } from "node:path";
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { z } from "zod";
import type { Input, Model } from "./models.ts";

export type Protocol = "json" | "binary" | "grpc";
export const PROTOCOLS: readonly Protocol[] = ["json", "binary", "grpc"];

export type HttpDialect = {
  kind: "http";
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
  /** The first output; throws where the answer is not what the protocol says. */
  read: (body: Buffer, header: (name: string) => string | undefined) => Float32Array;
};
/** `body` is the message with gRPC's five bytes before it, as it stands in an HTTP/2 DATA frame. */
export type GrpcDialect = {
  kind: "grpc";
  path: string;
  body: Buffer;
  /** Bytes that an answer has at least: those of its tensor. */
  leastAnswer: number;
  ask: (port: number) => Promise<Float32Array>;
};
export type Dialect = HttpDialect | GrpcDialect;

const bytesOf = ({ data }: Input): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

const numbersOf = ({ data }: Input): number[] => Array.from(data, Number);

const floatsOf = (bytes: Buffer): Float32Array => {
  if (bytes.length % 4 !== 0) throw new Error(`${bytes.length} bytes are no float32 tensor`);
  return new Float32Array(Uint8Array.from(bytes).buffer);
};

const oipAnswer = z.object({
  outputs: z
    .array(
      z.object({
        data: z.array(z.number()).optional(),
        parameters: z.object({ binary_data_size: z.number().optional() }).optional().nullable(),
      }),
    )
    .nonempty(),
});

const INFER = "/v2/models/m/infer";

export const oipJson = (model: Model): HttpDialect => ({
  kind: "http",
  path: INFER,
  headers: { "content-type": "application/json" },
  body: Buffer.from(
    JSON.stringify({
      inputs: model.inputs.map((input) => ({
        ...{ name: input.name, shape: input.shape, datatype: input.datatype, data: numbersOf(input) },
      })),
    }),
  ),
  read: (body) => Float32Array.from(oipAnswer.parse(JSON.parse(body.toString())).outputs[0]?.data ?? []),
});

/** The binary tensor extension, both ways. */
export const oipBinary = (model: Model): HttpDialect => {
  const header = Buffer.from(
    JSON.stringify({
      inputs: model.inputs.map((input) => ({
        ...{ name: input.name, shape: input.shape, datatype: input.datatype },
        parameters: { binary_data_size: input.data.byteLength },
      })),
      parameters: { binary_data_output: true },
    }),
  );
  return {
    kind: "http",
    path: INFER,
    headers: { "content-type": "application/octet-stream", "inference-header-content-length": `${header.length}` },
    body: Buffer.concat([header, ...model.inputs.map(bytesOf)]),
    read: (body, answerHeader) => {
      const length = Number(answerHeader("inference-header-content-length"));
      if (!Number.isInteger(length)) throw new Error("the answer has no inference-header-content-length");
      const size = oipAnswer.parse(JSON.parse(body.subarray(0, length).toString())).outputs[0]?.parameters;
      return floatsOf(body.subarray(length, length + (size?.binary_data_size ?? 0)));
    },
  };
};

/** Nothing but the tensors' bytes: what FastAPI's users do when JSON is too slow. */
export const rawBytes = (model: Model): HttpDialect => ({
  kind: "http",
  path: `/raw?${model.inputs.map(({ shape }) => `shape=${shape.join()}`).join("&")}`,
  headers: { "content-type": "application/octet-stream" },
  body: Buffer.concat(model.inputs.map(bytesOf)),
  read: (body) => floatsOf(body),
});

const nested = z.array(z.array(z.unknown())).nonempty();

const nestedRows = (numbers: readonly number[], shape: readonly number[]): unknown => {
  const [size = 0, ...rest] = shape;
  if (rest.length === 0) return numbers;
  const part = numbers.length / size;
  return Array.from({ length: size }, (_, at) => nestedRows(numbers.slice(at * part, (at + 1) * part), rest));
};

/** BentoML's: the parameter's name and nested lists; several inputs are stacked along axis 1. */
export const bentoJson = (model: Model): HttpDialect => {
  const [first] = model.inputs;
  const shape = first?.shape ?? [];
  const stacked = model.inputs.length > 1 ? [shape[0] ?? 1, model.inputs.length, ...shape.slice(1)] : shape;
  return {
    kind: "http",
    path: "/infer",
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify({ x: nestedRows(model.inputs.flatMap(numbersOf), stacked) })),
    read: (body) => Float32Array.from(nested.parse(JSON.parse(body.toString())).flat(Number.POSITIVE_INFINITY), Number),
  };
};

const answerMessage = z.object({
  raw_output_contents: z.array(z.instanceof(Buffer)).default([]),
  outputs: z.array(z.object({ contents: z.object({ fp32_contents: z.array(z.number()) }).nullish() })),
});

const serviceOf = (definition: unknown): ServiceClientConstructor =>
  z
    .object({
      inference: z.object({
        GRPCInferenceService: z.custom<ServiceClientConstructor>((it) => typeof it === "function"),
      }),
    })
    .parse(definition).inference.GRPCInferenceService;

const GRPC_DEADLINE = 20_000; // ms

export const oipGrpc = (model: Model): GrpcDialect => {
  const definition = loadSync(join(import.meta.dirname, "inference.proto"), {
    keepCase: true,
    longs: Number,
    arrays: true,
  });
  const Service = serviceOf(loadPackageDefinition(definition));
  const method = Service.service.ModelInfer;
  if (method === undefined) throw new Error("the proto file has no ModelInfer");
  const message = method.requestSerialize({
    model_name: "m",
    inputs: model.inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    raw_input_contents: model.inputs.map(bytesOf),
  });
  const prefix = Buffer.alloc(5); // not compressed; length
  prefix.writeUInt32BE(message.length, 1);
  const ask = (port: number) =>
    new Promise<Float32Array>((resolve, reject) => {
      const client = new Service(`127.0.0.1:${port}`, credentials.createInsecure());
      client.makeUnaryRequest(
        method.path,
        (bytes: Buffer) => bytes,
        method.responseDeserialize,
        message,
        { deadline: Date.now() + GRPC_DEADLINE },
        (error, answer) => {
          client.close();
          if (error !== null) return reject(error);
          const { raw_output_contents: raw, outputs } = answerMessage.parse(answer);
          resolve(
            raw[0] === undefined ? Float32Array.from(outputs[0]?.contents?.fp32_contents ?? []) : floatsOf(raw[0]),
          );
        },
      );
    });
  return {
    kind: "grpc",
    path: method.path,
    body: Buffer.concat([prefix, message]),
    leastAnswer: model.expected.byteLength,
    ask,
  };
};
