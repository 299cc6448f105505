import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { modelOf, value } from "../../test/runtime/graphs.ts";
import { startServer } from "../../test/runtime/server.ts";
import { baseEntries } from "./base.ts";
import { localeEntries } from "./locale.ts";
import { writeTree } from "./tree.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-locale-"));
after(() => rmSync(folder, { recursive: true }));

/** Small letters, as scikit-learn's vectorizers make them. `locale` undefined: what onnxruntime takes where the model says none. */
const lowerCase = (locale?: string): string =>
  modelOf({
    input: [value("x", "BYTES", ["n"])],
    output: [value("y", "BYTES", ["n"])],
    node: [
      {
        ...{ opType: "StringNormalizer", input: ["x"], output: ["y"] },
        attribute: [
          { name: "case_change_action", type: 3, s: Buffer.from("LOWER") },
          ...(locale === undefined ? [] : [{ name: "locale", type: 3, s: Buffer.from(locale) }]),
        ],
      },
    ],
  });

test("text models are served with the locale of the image, letters of many scripts among them", async (t) => {
  await writeTree(await localeEntries(), folder);
  const text = "ÀÉÎÕÜ ЖУК ΑΒΓ İSTANBUL Ǆ ქართული STRASSE ẞ";
  for (const locale of [undefined, "en_US.UTF-8", "en_US"]) {
    // with LOCPATH glibc looks nowhere else
    const env = { ...process.env, LOCPATH: join(folder, "usr/lib/locale") };
    const server = startServer(t, lowerCase(locale), ["--shards", "1"], [], env);
    await server.ready;
    const response = await fetch(server.url("/v1/models/m:predict"), {
      method: "POST",
      body: JSON.stringify({ instances: text.split(" ") }),
    });
    assert.deepEqual(await response.json(), {
      predictions: text.split(" ").map((word) => (word === "İSTANBUL" ? "istanbul" : word.toLowerCase())),
    });
  }
});

test("where the locale is missing, one message says what to install", async (t) => {
  const empty = join(folder, "empty");
  mkdirSync(empty);
  for (const locale of ["en_US.UTF-8", "xx_YY.UTF-8"]) {
    const server = startServer(t, lowerCase(locale), [], [], { ...process.env, LOCPATH: empty });
    assert.deepEqual(await server.exit, { code: 1, signal: null });
    assert.match(
      server.termination(),
      new RegExp(
        `the locale ${locale}, by which .* StringNormalizer .*: install it .*localedef -i ${locale.split(".")[0]}`,
      ),
    );
  }
});

test("the images hold it where glibc looks for it", async () => {
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  const paths = (await baseEntries(join(import.meta.dirname, "../.."), arch)).map(({ path }) => path);
  for (const name of ["en_US.utf8", "en_US"]) {
    assert.ok(paths.includes(`usr/lib/locale/${name}/LC_CTYPE`));
    assert.ok(paths.includes(`usr/lib/locale/${name}/LC_MESSAGES/SYS_LC_MESSAGES`));
  }
});
