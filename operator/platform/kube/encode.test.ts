import assert from "node:assert/strict";
import { it } from "node:test";
import { encode } from "./encode.ts";

it("a body says the same in the API server's spelling", () => {
  const value = { uri: "https://models.example.com/a?b=1&c=<d>", line: "\u2028\u2029", "&": 1 };
  const text = encode(value);
  assert.doesNotMatch(text, /[<>&\u2028\u2029]/);
  assert.ok(text.includes(String.raw`?b=1\u0026c=\u003cd\u003e`));
  assert.ok(text.includes(String.raw`\u2028\u2029`));
  assert.deepEqual(JSON.parse(text), value);
});
