/** ONNX files as a test describes them, whatever is odd in them, and a service that runs one in the test's own process. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import onnxProto from "onnx-proto";
import { loadModel } from "../../runtime/engine/session.ts";
import { invalid } from "../../runtime/errors/request-error.ts";
import type { InferenceCall, Service } from "../../runtime/inference/index.ts";
import type { HttpRequest, Routes } from "../../runtime/transport/http/types.ts";
import { ELEMENT_TYPES, type ElementType, newDirectory } from "./models.ts";

const { onnx } = onnxProto;

/** @param type a name of the protocol's, or the number of an element type that has none */
export const value = (name: string, type: ElementType | number, shape: readonly (number | string)[] | undefined) => ({
  name,
  type: {
    tensorType: {
      elemType: typeof type === "number" ? type : ELEMENT_TYPES[type],
      ...(shape === undefined
        ? {}
        : {
            shape: { dim: shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size })) },
          }),
    },
  },
});

export type Graph = { input: object[]; output: object[]; node: object[]; initializer?: object[] };
export type ModelOptions = { irVersion?: number; opsets?: Record<string, number>; more?: object };

/** Writes a model of this graph, in the form that protobufjs takes, to a file of its own. */
export const modelOf = (graph: Graph, { irVersion = 8, opsets = { "": 17 }, more = {} }: ModelOptions = {}): string => {
  const opsetImport = Object.entries(opsets).map(([domain, version]) => ({ domain, version }));
  const model = { irVersion, opsetImport, graph: { name: "g", ...graph }, ...more };
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, onnx.ModelProto.encode(onnx.ModelProto.fromObject(model)).finish());
  return file;
};

export const intAttribute = (name: string, i: number) => ({ name, type: onnx.AttributeProto.AttributeType.INT, i });
export const intsAttribute = (name: string, ...ints: number[]) => ({
  name,
  type: onnx.AttributeProto.AttributeType.INTS,
  ints,
});
export const stringsAttribute = (name: string, ...strings: string[]) => ({
  name,
  type: onnx.AttributeProto.AttributeType.STRINGS,
  strings: strings.map((text) => Buffer.from(text)),
});

/** The model in this process, each request a run of its own. */
export const serviceOf = async (file: string): Promise<Service & { calls: InferenceCall[] }> => {
  const engine = await loadModel(file, { executionProvider: "cpu", intraOpThreads: 1 });
  const calls: InferenceCall[] = [];
  return {
    calls,
    model: { name: "m", version: "1", inputs: engine.inputs, outputs: engine.outputs },
    serverVersion: "0",
    ready: () => true,
    infer(call) {
      calls.push(call);
      const result = engine.run(call.inputs, call.outputs).catch((error: unknown) => {
        throw invalid(error instanceof Error ? error.message : String(error));
      });
      return { result, cancel: () => undefined };
    },
    statistics: () => assert.fail("not asked for"),
  };
};

/** Asks a protocol's paths as a client does; rejects with what it is refused with. */
export const askRoutes = (routes: Routes) => async (path: string, body?: string | Uint8Array) => {
  const method = body === undefined ? "GET" : "POST";
  const handle = routes.paths.get(path)?.[method];
  assert.ok(handle, `${method} ${path}`);
  const request: HttpRequest = {
    ...{ method, path, query: "", header: () => undefined, body: Buffer.from(body ?? ""), onGone: undefined },
  };
  const { status, parts } = await handle(request);
  assert.equal(status, 200);
  const answer: unknown = JSON.parse(Buffer.concat(parts.map((part) => Buffer.from(part))).toString());
  return answer;
};
