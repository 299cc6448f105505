import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";
import fc from "fast-check";
import { RequestError } from "../../../errors/request-error.ts";
import { bytesOf, DATATYPES, type Datatype } from "../../../tensors/index.ts";
import { encodeStrings } from "../../../tensors/strings.ts";
import { readContents } from "./contents.ts";
import { decodeRequest, type InferRequest, type Parameters } from "./request.ts";
import { createEncoder } from "./response.ts";

const PROTO = fileURLToPath(new URL("inference.proto", import.meta.url));
const definitions = loadSync(PROTO, { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true });
const message = (name: string) => {
  const service = definitions["inference.GRPCInferenceService"];
  const method = service === undefined || "format" in service ? undefined : service[name];
  assert.ok(method !== undefined);
  return method;
};
const { requestSerialize, requestDeserialize, responseDeserialize } = message("ModelInfer");

const fixed = { seed: 4, numRuns: 500 };
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const parameter = fc.oneof(
  fc.record({ bool_param: fc.boolean() }),
  fc.record({ int64_param: int64.map(String) }),
  fc.record({ string_param: fc.string() }),
  fc.record({ double_param: fc.double() }),
  fc.record({ uint64_param: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String) }),
);
const parameters = fc.dictionary(fc.string(), parameter, { maxKeys: 3 });
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const input = fc.record({
  name: fc.string({ unit: "binary" }),
  datatype: fc.string(),
  shape: fc.array(fc.maxSafeInteger(), { maxLength: 5 }),
  parameters,
  contents: fc.option(fc.record({ int_contents: fc.array(fc.integer()), bytes_contents: fc.array(bytes) }), {
    nil: null,
  }),
});
const request = fc.record({
  model_name: fc.string({ unit: "binary" }),
  model_version: fc.string(),
  id: fc.string(),
  parameters,
  inputs: fc.array(input, { maxLength: 4 }),
  outputs: fc.array(fc.record({ name: fc.string(), parameters }), { maxLength: 4 }),
  raw_input_contents: fc.array(bytes, { maxLength: 4 }),
});

/** Both decoders' results in one form. Parsed and printed again, so that what protobufjs made does not matter. */
type Plain = {
  model_name: string;
  model_version: string;
  id: string;
  parameters: Record<string, Record<string, unknown>>;
  inputs: {
    name: string;
    datatype: string;
    shape: string[];
    parameters: Plain["parameters"];
    contents: object | null;
  }[];
  outputs: { name: string; parameters: Plain["parameters"] }[];
  raw_input_contents: Buffer[];
};
const isPlain = (value: unknown): value is Plain => typeof value === "object" && value !== null && "inputs" in value;

const theirParameters = (all: Plain["parameters"]) =>
  Object.entries(all).map(([name, { parameter_choice, ...value }]) => [
    name,
    parameter_choice === undefined ? undefined : String(value[String(parameter_choice)]),
  ]);
const ourParameters = (all: Parameters) =>
  [...all].map(([name, value]) => [name, value === undefined ? undefined : String(value)]);
const sorted = (entries: unknown[][]) => entries.toSorted((one, other) => (String(one[0]) < String(other[0]) ? -1 : 1));

const theirs = (plain: Plain) => ({
  names: [plain.model_name, plain.model_version, plain.id],
  parameters: sorted(theirParameters(plain.parameters)),
  inputs: plain.inputs.map(({ name, datatype, shape, parameters, contents }) => ({
    name,
    datatype,
    shape: shape.map(Number),
    parameters: sorted(theirParameters(parameters)),
    contents: contents !== null,
  })),
  outputs: plain.outputs.map(({ name, parameters }) => ({ name, parameters: sorted(theirParameters(parameters)) })),
  raw: plain.raw_input_contents.map((raw) => raw.toString("hex")),
});
const ours = (decoded: InferRequest) => ({
  names: [decoded.modelName, decoded.modelVersion, decoded.id],
  parameters: sorted(ourParameters(decoded.parameters)),
  inputs: decoded.inputs.map(({ name, datatype, shape, parameters, contents }) => ({
    name,
    datatype,
    shape,
    parameters: sorted(ourParameters(parameters)),
    contents: contents !== undefined,
  })),
  outputs: decoded.outputs.map(({ name, parameters }) => ({ name, parameters: sorted(ourParameters(parameters)) })),
  raw: decoded.raw.map((raw) => raw.toString("hex")),
});

const expectSame = (encoded: Buffer): void => {
  const plain = requestDeserialize(encoded);
  assert.ok(isPlain(plain));
  assert.deepEqual(ours(decodeRequest(encoded)), theirs(plain));
};

/** Decoded or refused with InvalidArgument: returns which. */
const attempt = (encoded: Buffer): InferRequest | undefined => {
  try {
    return decodeRequest(encoded);
  } catch (error) {
    assert.ok(error instanceof RequestError && error.code === "InvalidArgument", String(error));
    return undefined;
  }
};

test("a request is decoded as protobufjs decodes it", () => {
  fc.assert(
    fc.property(request, (value) => expectSame(requestSerialize(value))),
    fixed,
  );
});

test("arbitrary and damaged bytes are decoded as protobufjs does, or refused with InvalidArgument", () => {
  let decoded = 0;
  const check = (encoded: Buffer): void => {
    const own = attempt(encoded);
    if (own === undefined) return;
    // protobufjs itself fails where a map's entry has no value
    const all = [own, ...own.inputs, ...own.outputs].flatMap(({ parameters }) => [...parameters.values()]);
    if (all.includes(undefined)) return;
    decoded++;
    const plain = requestDeserialize(encoded);
    assert.ok(isPlain(plain));
    assert.deepEqual(ours(own), theirs(plain));
  };
  fc.assert(fc.property(bytes, check), fixed);
  // Contents are looked at later, by `readContents`.
  const bare = request.map((value) => ({ ...value, inputs: value.inputs.map((one) => ({ ...one, contents: null })) }));
  const damage = fc.tuple(bare, fc.nat(), fc.nat(255), fc.nat());
  fc.assert(
    fc.property(damage, ([value, place, byte, cut]) => {
      const encoded = requestSerialize(value);
      if (encoded.length === 0) return;
      encoded[place % encoded.length] = byte;
      check(encoded);
      check(encoded.subarray(0, cut % encoded.length));
    }),
    fixed,
  );
  assert.ok(decoded > 200, `only ${decoded} were decoded`);
});

test("lengths that the message does not have, and lists that are too long, take no memory", () => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0x07];
  for (const field of [1, 2, 3, 4, 5, 6, 7]) {
    assert.equal(attempt(Buffer.from([field * 8 + 2, ...huge])), undefined);
  }
  for (const field of [5, 6, 7]) {
    const many = Buffer.alloc(2 * 1_000_000);
    for (let i = 0; i < many.length; i += 2) many[i] = field * 8 + 2;
    assert.equal(attempt(many), undefined);
  }
  // a shape of 100 dimensions
  assert.equal(attempt(Buffer.concat([Buffer.from([0x2a, 102, 0x1a, 100]), Buffer.alloc(100, 1)])), undefined);
});

test("raw contents are slices of the message", () => {
  const encoded = requestSerialize({ raw_input_contents: [Buffer.alloc(100, 7)] });
  assert.equal(decodeRequest(encoded).raw[0]?.buffer, encoded.buffer);
});

const CASES: {
  datatype: Datatype;
  field: string;
  values: readonly (number | bigint | string | boolean)[];
  bytes: Uint8Array;
}[] = [
  { datatype: "BOOL", field: "bool_contents", values: [true, false], bytes: Uint8Array.of(1, 0) },
  { datatype: "INT8", field: "int_contents", values: [-128, 127], bytes: bytesOf(Int8Array.of(-128, 127)) },
  { datatype: "INT16", field: "int_contents", values: [-32768, 5], bytes: bytesOf(Int16Array.of(-32768, 5)) },
  {
    datatype: "INT32",
    field: "int_contents",
    values: [-1, 2 ** 31 - 1],
    bytes: bytesOf(Int32Array.of(-1, 2 ** 31 - 1)),
  },
  {
    datatype: "INT64",
    field: "int64_contents",
    values: ["-9223372036854775808", "9"],
    bytes: bytesOf(BigInt64Array.of(-(2n ** 63n), 9n)),
  },
  { datatype: "UINT8", field: "uint_contents", values: [255, 0], bytes: Uint8Array.of(255, 0) },
  { datatype: "UINT16", field: "uint_contents", values: [65535, 0], bytes: bytesOf(Uint16Array.of(65535, 0)) },
  {
    datatype: "UINT32",
    field: "uint_contents",
    values: [2 ** 32 - 1, 0],
    bytes: bytesOf(Uint32Array.of(2 ** 32 - 1, 0)),
  },
  {
    datatype: "UINT64",
    field: "uint64_contents",
    values: ["18446744073709551615", "1"],
    bytes: bytesOf(BigUint64Array.of(2n ** 64n - 1n, 1n)),
  },
  { datatype: "FP32", field: "fp32_contents", values: [1.5, -0], bytes: bytesOf(Float32Array.of(1.5, -0)) },
  { datatype: "FP64", field: "fp64_contents", values: [0.1, -3], bytes: bytesOf(Float64Array.of(0.1, -3)) },
];

test("typed contents of every type become its bytes, packed, in pieces and one by one", () => {
  const contentsOf = (contents: object): Buffer[] => {
    const decoded = decodeRequest(requestSerialize({ inputs: [{ contents }] })).inputs[0]?.contents;
    assert.ok(decoded !== undefined);
    return decoded;
  };
  for (const { datatype, field, values, bytes: expected } of CASES) {
    const together = contentsOf({ [field]: values });
    assert.deepEqual(Buffer.from(readContents("x", datatype, together, 2)), Buffer.from(expected), datatype);
    const apart = values.flatMap((value) => contentsOf({ [field]: [value] }));
    assert.deepEqual(Buffer.from(readContents("x", datatype, apart, 2)), Buffer.from(expected), datatype);
    for (const wrong of [1, 3]) {
      assert.throws(() => readContents("x", datatype, together, wrong), /its contents have 2 elements/);
    }
    const truncated = together.map((message) => message.subarray(0, -1));
    assert.throws(() => readContents("x", datatype, truncated, 2), /not a valid protobuf/);
  }
  // not packed: tag and value of each, as writers of proto2 send them
  const unpacked = [Buffer.from([0x35, 0, 0, 0xc0, 0x3f, 0x35, 0, 0, 0, 0x80])];
  assert.deepEqual(Buffer.from(readContents("x", "FP32", unpacked, 2)), Buffer.from(bytesOf(Float32Array.of(1.5, -0))));
  assert.deepEqual(Buffer.from(readContents("x", "INT8", [Buffer.from([0x10, 1, 0x10, 2])], 2)), Buffer.from([1, 2]));
  const strings = contentsOf({ bytes_contents: [Buffer.from("ab"), Buffer.alloc(0)] });
  assert.deepEqual(Buffer.from(readContents("x", "BYTES", strings, 2)), Buffer.from(encodeStrings(["ab", ""])));
  assert.throws(
    () => readContents("x", "INT8", contentsOf({ int_contents: [1, 128] }), 2),
    /data\[1\] is 128, INT8 wants a number from -128 to 127/,
  );
  assert.throws(
    () => readContents("x", "UINT16", contentsOf({ uint_contents: [65536] }), 1),
    /data\[0\] is 65536, UINT16 wants/,
  );
  assert.throws(() => readContents("x", "FP16", [], 0), /FP16 has no typed contents/);
});

test("damaged contents are read or refused with InvalidArgument", () => {
  const types = fc.constantFrom<Datatype>("BYTES", ...CASES.map(({ datatype }) => datatype));
  fc.assert(
    fc.property(types, fc.array(bytes, { maxLength: 3 }), fc.nat(20), (datatype, messages, count) => {
      try {
        const read = readContents("x", datatype, messages, count);
        if (datatype !== "BYTES") assert.equal(read.length, count * DATATYPES[datatype].bytes);
      } catch (error) {
        assert.ok(error instanceof RequestError && error.code === "InvalidArgument", String(error));
      }
    }),
    { seed: 4, numRuns: 2000 },
  );
});

test("answers are decoded by protobufjs to what went in", () => {
  const model = {
    name: "mödel",
    version: "1",
    inputs: [],
    outputs: [{ name: "y", datatype: "FP32" as const, shape: [null], symbols: [null] }],
  };
  const encoder = createEncoder(model);
  const output = fc.record({
    name: fc.string({ unit: "binary" }),
    shape: fc.array(fc.nat(2 ** 31 - 1), { maxLength: 9 }),
    bytes,
  });
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.array(output, { maxLength: 5 }), (id, outputs) => {
      const tensors = outputs.map(
        ({ name, shape, bytes }) => [name, { datatype: "FP32" as const, shape, bytes }] as const,
      );
      const decoded = responseDeserialize(encoder.response({ id, outputs: tensors }));
      assert.deepEqual(JSON.parse(JSON.stringify(decoded)), {
        model_name: model.name,
        model_version: "1",
        id: id.toWellFormed(),
        parameters: {},
        outputs: outputs.map(({ name, shape }) => ({
          name: name.toWellFormed(),
          datatype: "FP32",
          shape: shape.map(String),
          parameters: {},
          contents: null,
        })),
        raw_output_contents: JSON.parse(JSON.stringify(outputs.map(({ bytes }) => bytes))),
      });
    }),
    fixed,
  );
});
