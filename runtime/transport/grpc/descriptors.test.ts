import assert from "node:assert/strict";
import { dirname } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { linkable } from "./descriptors.ts";

const { FileDescriptorProto } = descriptor;

test("each file names those that it needs, and entries of maps are named as the language prescribes", () => {
  const protos = ["serving", "tensorflow", "error"].map((name) =>
    fileURLToPath(new URL(`../../protocols/tensorflow-serving/proto/${name}.proto`, import.meta.url)),
  );
  const definitions = loadSync(protos, { includeDirs: protos.map((file) => dirname(file)) });
  const [one] = Object.values(definitions).flatMap((definition) =>
    "format" in definition ? [definition.fileDescriptorProtos] : [],
  );
  assert.ok(Array.isArray(one));
  const files = linkable(one).map((bytes) => FileDescriptorProto.toObject(FileDescriptorProto.decode(bytes)));
  const needs = Object.fromEntries(files.map(({ name, dependency = [] }) => [name, dependency.toSorted()]));
  assert.deepEqual(needs, {
    "google_protobuf.proto": [],
    "tensorflow.proto": [],
    "tensorflow_error.proto": [],
    "tensorflow_serving.proto": ["google_protobuf.proto", "tensorflow.proto", "tensorflow_error.proto"],
  });

  const features = files
    .flatMap(({ messageType }) => messageType ?? [])
    .find(({ name }: { name: string }) => name === "Features");
  assert.equal(features.field[0].typeName, "FeatureEntry");
  assert.equal(features.nestedType[0].name, "FeatureEntry");
  assert.equal(features.nestedType[0].field[1].typeName, "Feature");
});

test("what is cut off is refused", () => {
  assert.throws(() => linkable([Uint8Array.of(0x0a)]), /cut off/);
  assert.throws(() => linkable([Uint8Array.of(0x0d, 1, 2, 3, 4)]), /wire type 5/);
});
