import assert from "node:assert/strict";
import { test } from "node:test";
import { InferenceSession } from "onnxruntime-node";
import { MISSING_OPERATOR, unloadableModel } from "./unloadable.ts";

test("onnxruntime reads the model and refuses its operator by name", async () => {
  await assert.rejects(InferenceSession.create(unloadableModel()), new RegExp(MISSING_OPERATOR));
});
