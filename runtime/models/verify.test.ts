import assert from "node:assert/strict";
import { linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import onnxProto from "onnx-proto";
import { ANGLE_MODEL, loopModel, newDirectory } from "../../test/runtime/models.ts";
import { Failure } from "../errors/termination.ts";
import { checkModelFile } from "./verify.ts";

const { onnx } = onnxProto;
const { FLOAT, INT4, STRING } = { ...onnx.TensorProto.DataType, INT4: 22 };
const types = onnx.AttributeProto.AttributeType;

const save = (bytes: Uint8Array): string => {
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, bytes);
  return file;
};
/** @param model a ModelProto in the form that protobufjs takes */
const bytesOf = (model: object): Uint8Array => onnx.ModelProto.encode(onnx.ModelProto.fromObject(model)).finish();
const graphOf = (graph: object): string => save(bytesOf({ irVersion: 8, graph }));

type Entries = Readonly<Record<string, string>>;
const external = (entries: Entries, dims: readonly number[] = [4], dataType: number = FLOAT) => ({
  name: "w",
  dataType,
  dims,
  dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
  externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
});
/** A model with one external tensor, and beside it weights.bin, 16 bytes. */
const externalModel = (...tensor: Parameters<typeof external>): string => {
  const file = graphOf({ initializer: [external(...tensor)] });
  writeFileSync(join(dirname(file), "weights.bin"), Buffer.alloc(16));
  return file;
};
const refused = (file: string, message: RegExp): void =>
  assert.throws(() => checkModelFile(file), { code: "ModelInvalid", message });

test("real models pass", () => {
  for (const file of [ANGLE_MODEL, loopModel(), ANGLE_MODEL.replace("ppocr_mobile_v2.0_cls", "PP-OCRv4_rec")]) {
    checkModelFile(file);
  }
});

describe("external data", () => {
  test("pass in a regular file below the model's folder", () => {
    checkModelFile(externalModel({ location: "weights.bin" }));
    checkModelFile(externalModel({ location: "./weights.bin", offset: "8", length: "8", checksum: "00" }, [1, 2]));
    checkModelFile(externalModel({ location: "weights.bin", offset: "13" }, [5], INT4));
    checkModelFile(externalModel({ location: "weights.bin", offset: "16" }, [3, 0]));
    const file = externalModel({ location: "deeper/weights.bin" });
    mkdirSync(join(dirname(file), "deeper"));
    writeFileSync(join(dirname(file), "deeper", "weights.bin"), Buffer.alloc(16));
    checkModelFile(file);
  });

  const locations: [location: string, message: RegExp][] = [
    ["../weights.bin", /tensor "w": .* are in "\.\.\/weights\.bin", which leads out of the model's folder; put/],
    ["a/../../weights.bin", /leads out/],
    ["/etc/passwd", /absolute path/],
    ["*/_ORT_MEM_ADDR_/*", /an address in memory/],
    ["x/_ORT_MEM_ADDR_/y", /an address in memory/],
    ["https://example.com/w", /URL/],
    ["weights.bin\0", /characters/],
    ["a\\weights.bin", /characters/],
    ["missing.bin", /"missing\.bin", which is not there: put the file beside the model, or .*external_data=False/],
    ["weights.bin/x", /not there/],
    [".", /not a file/],
    ["", /no location/],
  ];
  for (const [location, message] of locations) {
    test(`are refused in ${JSON.stringify(location)}`, () => refused(externalModel({ location }), message));
  }

  test("are refused in links, hard links, and what is no file", () => {
    for (const [make, message] of [
      [(from: string, to: string) => symlinkSync(from, to), /symbolic link/],
      [(from: string, to: string) => linkSync(from, to), /hard links/],
      [(_: string, to: string) => mkdirSync(to), /not a regular file/],
    ] as const) {
      const file = externalModel({ location: "other.bin" });
      make(join(dirname(file), "weights.bin"), join(dirname(file), "other.bin"));
      refused(file, message);
    }
    const file = externalModel({ location: "folder/passwd" });
    symlinkSync("/etc", join(dirname(file), "folder"));
    refused(file, /symbolic link/);
  });

  test("are refused out of range, of another size, and beyond the numbers that are exact", () => {
    const location = "weights.bin";
    refused(externalModel({ location, offset: "1" }), /from byte 1 to 17 of "weights.bin", which has 16 bytes/);
    refused(externalModel({ location, length: "8" }), /have 8 bytes; its shape and type need 16/);
    refused(externalModel({ location }, [5]), /to 20 of/);
    for (const offset of ["-1", "1e3", "0x1", "99999999999999999999", ""]) {
      refused(externalModel({ location, offset }), /not a number of bytes/);
    }
    refused(externalModel({ location }, [2 ** 31, 2 ** 31]), /too many elements/);
    refused(externalModel({ location }, [-1, -4]), /too many elements/);
    refused(externalModel({ location }, [1], STRING), /element type 8/);
    refused(externalModel({ location, prepacked_0: "x|0;8;0" }), /unknown key "prepacked_0"/);
  });

  test("whatever the location, what passes is the one plain file that is there", () => {
    const folder = dirname(externalModel({ location: "weights.bin" }));
    symlinkSync("..", join(folder, "up"));
    symlinkSync("weights.bin", join(folder, "link"));
    mkdirSync(join(folder, "a"));
    const step = fc.constantFrom("..", ".", "", "a", "up", "link", "weights.bin", "*", "etc", "passwd");
    let passed = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), (steps) => {
        const location = steps.join("/");
        writeFileSync(join(folder, "model.onnx"), bytesOf({ graph: { initializer: [external({ location })] } }));
        try {
          checkModelFile(join(folder, "model.onnx"));
        } catch (error) {
          assert.ok(error instanceof Failure);
          return;
        }
        passed++;
        assert.ok(!location.startsWith("/"));
        assert.equal(join(folder, location), join(folder, "weights.bin"));
      }),
      { numRuns: 500 },
    );
    assert.ok(passed > 0, "none passed: the property shows nothing");
  });

  test("are found wherever a tensor can be", () => {
    const t = external({ location: "../out" });
    const node = (attribute: object) => ({ node: [{ opType: "Constant", attribute: [attribute] }] });
    const body = { type: types.GRAPH, g: { initializer: [t] } };
    const graphs: object[] = [
      { initializer: [t] },
      { sparseInitializer: [{ values: t }] },
      { sparseInitializer: [{ indices: t }] },
      node({ t }),
      node({ tensors: [t] }),
      node({ sparseTensor: { values: t } }),
      node({ graphs: [body.g] }),
      node({ g: node(body) }),
    ];
    for (const graph of graphs) refused(graphOf(graph), /leads out/);
    refused(save(bytesOf({ trainingInfo: [{ algorithm: { initializer: [t] } }] })), /leads out/);
    refused(save(bytesOf({ functions: [{ name: "f", ...node({ t }) }] })), /leads out/);
  });

  test("cannot be put together from parts that protobuf would merge", () => {
    const half = bytesOf({ graph: { name: "half" } });
    refused(save(Buffer.concat([half, half])), /has field 7 twice at byte \d+/);
    const twice = { ...external({}), externalData: ["weights.bin", "x"].map((value) => ({ key: "location", value })) };
    refused(graphOf({ initializer: [twice] }), /"location" twice/);
  });
});

describe("operators", () => {
  const node = (domain: string, opType: string, more: object = {}) => ({ name: "n", domain, opType, ...more });

  test("of onnxruntime's domains, and the model's own functions, pass", () => {
    const domains = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"];
    checkModelFile(graphOf({ node: domains.map((domain) => node(domain, "Anything")) }));
    const functions = [{ domain: "mine", name: "f", node: [node("mine", "g")] }];
    const both = [...functions, { domain: "mine", name: "g", node: [node("", "Relu")] }];
    checkModelFile(save(bytesOf({ graph: { node: [node("mine", "f")] }, functions: both })));
    refused(
      save(bytesOf({ graph: { node: [node("mine", "f")] }, functions })),
      /node "n": "mine", "g" is neither an operator/,
    );
  });

  test("of others are refused, in graphs within graphs too", () => {
    refused(graphOf({ node: [node("evil.example", "Run")] }), /node "n": "evil.example", "Run" is neither an operator/);
    const branch = { name: "then_branch", type: types.GRAPH, g: { node: [node("evil", "Run")] } };
    refused(graphOf({ node: [node("", "If", { attribute: [branch] })] }), /"evil", "Run"/);
  });

  test("that hold a compiled program are refused", () => {
    for (const domain of ["com.microsoft", "", "mine"]) {
      refused(graphOf({ node: [node(domain, "EPContext")] }), /"EPContext" holds a program/);
    }
  });

  test("cannot break the line that names them", () => {
    refused(
      graphOf({ node: [node("a\nb", `x${"y".repeat(1000)}`)] }),
      /^node "n": "a\\nb", "xy{252}" is neither an operator/,
    );
  });
});

describe("malformed files", () => {
  const cases: [what: string, bytes: Uint8Array, message: RegExp][] = [
    ["text", Buffer.from("hello"), /unknown wire type|longer than/],
    ["a length beyond the end", Buffer.of(0x3a, 0xff, 0xff, 0x03), /longer than what holds it at byte 4/],
    ["a number cut off", Buffer.of(0x80), /cut off at byte 1/],
    ["a number too long", Buffer.alloc(11, 0x80), /too long at byte 10/],
    // 0x3a, the graph's key, with a bit that a parser of 32 bits would drop
    ["a key of more than 32 bits", Buffer.of(0xba, 0x80, 0x80, 0x80, 0x10, 0), /impossible number 536870919/],
    ["a location of 5,000 bytes", readFileSync(externalModel({ location: "x".repeat(5000) })), /more than 4096 bytes/],
  ];
  for (const [what, bytes, message] of cases) {
    test(what, () => refused(save(bytes), new RegExp(`not an ONNX model: .*${message.source}`)));
  }

  test("graphs within graphs, deeper than protobuf goes", () => {
    let message: Buffer = Buffer.alloc(0);
    const within = (key: number) =>
      Buffer.concat([Buffer.of(key, 0xff & (message.length | 0x80), message.length >> 7), message]);
    // graph: node (1), attribute (5), graph (6)
    for (let i = 0; i < 40; i++) for (const key of [0x32, 0x2a, 0x0a]) message = within(key);
    message = within(0x3a);
    refused(save(message), /more than 100 messages within each other/);
  });

  test("whatever the bytes, the check ends with a Failure or nothing", () => {
    const file = save(Buffer.of());
    const whole = bytesOf({
      irVersion: 8,
      graph: { initializer: [external({ location: "w" })], node: [{ opType: "Add", domain: "d" }] },
      functions: [{ domain: "d", name: "Add" }],
    });
    const mutated = fc
      .array(fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255) }), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = Buffer.from(whole);
        for (const { at, to } of changes) bytes[at] = to;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ minLength: 1, maxLength: 64 })), (bytes) => {
        writeFileSync(file, bytes);
        try {
          checkModelFile(file);
        } catch (error) {
          assert.ok(error instanceof Failure, String(error));
          assert.equal(error.code, "ModelInvalid");
        }
      }),
      { numRuns: 1000 },
    );
    rmSync(file);
  });
});
