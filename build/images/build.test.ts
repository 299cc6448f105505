import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { buildImage, layerMaker, type Recipe, type Request } from "./build.ts";
import { sha256 } from "./oci.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-images-"));
after(() => rmSync(folder, { recursive: true }));

const recipe = (name: string, content: string): Recipe => ({
  name,
  entries: () => Promise.resolve([{ path: `app/${name}`, kind: "file", mode: 0o644, content: Buffer.from(content) }]),
});
const request = (out: string): Request => ({
  root: ".",
  out: join(folder, out),
  version: "1.2.3",
  arch: "x64",
  created: "1970-01-01T00:00:00Z",
});
const build = (out: string, stack: Recipe[]) =>
  buildImage("small", { title: "Small", entry: "main.ts" }, stack, layerMaker(join(folder, out)), request(out));

const stack = [recipe("base", "b".repeat(10_000)), recipe("main.ts", "console.log(1);")];
const Descriptor = z.object({ digest: z.string(), size: z.number() });
const Index = z.object({ manifests: z.tuple([Descriptor.extend({ annotations: z.record(z.string(), z.string()) })]) });
const Manifest = z.object({ config: Descriptor, layers: z.array(Descriptor) });
const Config = z.object({
  config: z.object({ User: z.string(), Entrypoint: z.array(z.string()), Env: z.array(z.string()) }),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
});

test("two builds in two folders have one digest, and other content has another", async () => {
  const [first, second, other] = await Promise.all([
    build("one", stack),
    build("two", stack),
    build("three", [recipe("base", "b".repeat(10_000)), recipe("main.ts", "console.log(2);")]),
  ]);
  assert.match(first.digest, /^sha256:[0-9a-f]{64}$/);
  assert.equal(first.digest, second.digest);
  assert.notEqual(first.digest, other.digest);
});

test("a second build leaves the archive alone", async () => {
  const { file, digest } = await build("again", stack);
  const before = statSync(file).mtimeMs;
  assert.equal((await build("again", stack)).digest, digest);
  assert.equal(statSync(file).mtimeMs, before);
});

test("the archive is an OCI layout: every descriptor matches its blob, and the image is named and not root's", async () => {
  const { file, reference, digest, compressed } = await build("layout", stack);
  const read = (path: string) => execFileSync("tar", ["-xOf", file, path]);
  const blob = (found: z.infer<typeof Descriptor>) => {
    const bytes = read(`blobs/sha256/${found.digest.slice(7)}`);
    assert.equal(sha256(bytes), found.digest);
    assert.equal(bytes.byteLength, found.size);
    return bytes;
  };
  const parse = (bytes: Buffer): unknown => JSON.parse(bytes.toString());
  const [named] = Index.parse(parse(read("index.json"))).manifests;
  assert.equal(named.digest, digest);
  assert.equal(named.annotations["io.containerd.image.name"], reference);
  assert.equal(reference, "localhost/berth-small:1.2.3");
  const manifest = Manifest.parse(parse(blob(named)));
  const config = Config.parse(parse(blob(manifest.config)));
  const layers = manifest.layers.map(blob);
  assert.deepEqual(
    layers.map((layer) => sha256(gunzipSync(layer))),
    config.rootfs.diff_ids,
  );
  assert.equal(
    compressed,
    layers.reduce((sum, layer) => sum + layer.byteLength, 0),
  );
  assert.equal(config.config.User, "65532:65532");
  assert.deepEqual(config.config.Entrypoint, ["/usr/local/bin/node", "/app/main.js"]);
  assert.ok(config.config.Env.includes("ORT_DISABLE_TELEMETRY=1"));
});
