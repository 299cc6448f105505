import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ANGLE_MODEL, externalDataModel, loopModel, newDirectory } from "../../test/runtime/models.ts";
import { checkModelFile } from "./verify.ts";

test("real models pass", () => {
  for (const file of [ANGLE_MODEL, loopModel(), ANGLE_MODEL.replace("ppocr_mobile_v2.0_cls", "PP-OCRv4_rec")]) {
    checkModelFile(file);
  }
});

test("external data are refused wherever the tensor is, by its name", () => {
  for (const nested of [false, true]) {
    const file = externalDataModel("weights", "../../etc/passwd", nested);
    assert.throws(() => checkModelFile(file), { code: "ModelInvalid", message: /tensor "weights".*external data/ });
  }
});

test("bytes that are no protobuf are refused, with the place", () => {
  for (const bytes of [Buffer.from("hello"), Buffer.of(0x3a, 0xff, 0xff, 0x03), Buffer.of(0x80)]) {
    const file = join(newDirectory(), "model.onnx");
    writeFileSync(file, bytes);
    assert.throws(() => checkModelFile(file), { code: "ModelInvalid", message: /not an ONNX model: .* at byte \d+/ });
  }
});
