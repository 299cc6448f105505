import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { pino } from "pino";
import { runFetch } from "./command.ts";
import { parseModelUri } from "./uri.ts";

const pathOf = (uri: string): string => {
  const parsed = parseModelUri(uri, false);
  return parsed.scheme === "pvc" ? parsed.path : assert.fail(uri);
};

describe("names in a claim", () => {
  it("are decoded once", () => {
    for (const [uri, path] of [
      ["pvc://c/model.onnx", "model.onnx"],
      ["pvc://c/my%20model.onnx", "my model.onnx"],
      ["pvc://c/a%20b/c%2Bd+e.onnx", "a b/c+d+e.onnx"],
      ["pvc://c/100%25.onnx", "100%.onnx"],
      ["pvc://c/100%2525.onnx", "100%25.onnx"],
      ["pvc://c/%252F", "%2F"],
      ["pvc://c/%252e%252e/m", "%2e%2e/m"],
      ["pvc://c/mod%C3%A8le.onnx", "modèle.onnx"],
      ["pvc://c/a%3Fb%23c", "a?b#c"],
      ["pvc://c/...", "..."],
    ] as const)
      assert.equal(pathOf(uri), path, uri);
  });

  it("are refused where what is encoded is no part of a name", () => {
    for (const [path, message] of [
      ["a%2Fb", /%2F or %00/],
      ["a%2fb", /%2F or %00/],
      ["%2Fetc", /%2F or %00/],
      ["a%00.onnx", /%2F or %00/],
      ["%2e%2e/m", /'\.' or '\.\.'/],
      ["a/%2E./m", /'\.' or '\.\.'/],
      ["%2e/m", /'\.' or '\.\.'/],
      ["../m", /'\.' or '\.\.'/],
      ["a//m", /an empty part/],
      ["a/", /an empty part/],
      ["..%2F..%2Fetc", /%2F or %00/],
      ["100%.onnx", /write %25 for the sign itself/],
      ["a%2", /write %25/],
      ["a%zz", /write %25/],
      ["a%FF", /not decode to UTF-8/],
      ["a%C0%AF", /not decode to UTF-8/],
    ] as const)
      assert.throws(() => pathOf(`pvc://c/${path}`), { code: "ModelUriInvalid", message }, path);
  });

  it("come back as they were, whatever they hold, and never as two", () => {
    const name = fc
      .string({ unit: "binary", minLength: 1, maxLength: 20 })
      .filter((text) => text.isWellFormed() && !/[/\0]/.test(text) && text !== "." && text !== "..");
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (names) => {
        assert.equal(pathOf(`pvc://c/${names.map(encodeURIComponent).join("/")}`), names.join("/"));
      }),
    );
    const text = fc.array(fc.constantFrom("%", "2", "F", "5", "e", ".", "/", "a", "0"), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(text, (parts) => {
        const path = parts.join("");
        let decoded: string;
        try {
          decoded = pathOf(`pvc://c/${path}`);
        } catch {
          return;
        }
        assert.equal(decoded.split("/").length, path.split("/").length);
        assert.ok(decoded.split("/").every((part) => part !== "" && part !== "." && part !== ".."));
      }),
      { numRuns: 2000 },
    );
  });

  it("are those of files with a space, a percent sign and a letter outside of ASCII", async () => {
    const claimDirectory = mkdtempSync(join(tmpdir(), "claim-"));
    mkdirSync(join(claimDirectory, "modèles"));
    for (const [index, [name, encoded]] of Object.entries([
      ["my model.onnx", "my%20model.onnx"],
      ["100%.onnx", "100%25.onnx"],
      ["modèles/a.onnx", "mod%C3%A8les/a.onnx"],
    ])
      .entries()
      .map(([at, [, pair]]) => [at, pair] as const)) {
      writeFileSync(join(claimDirectory, name ?? ""), Buffer.alloc(index + 1, 8));
      const to = join(claimDirectory, "to");
      const nothing = { sha256: undefined, pinFile: undefined, caFile: undefined, credentials: undefined };
      const options = {
        ...nothing,
        ...{ uri: `pvc://c/${encoded}`, to, diskLimitBytes: undefined, allowHttp: false, claimDirectory },
        ...{ proxy: undefined, noProxy: undefined, progressPort: undefined, terminationLog: "/dev/null" },
      };
      await runFetch(options, () => true, pino({ level: "silent" }));
      assert.equal(readFileSync(to).length, index + 1);
    }
  });
});
