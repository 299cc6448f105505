import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { it } from "node:test";
import { KubeError } from "./errors.ts";
import { createReadServed } from "./open-api.ts";
import { createTransport } from "./transport.ts";

const gvk = (kind: string, version = "v1alpha1") => ({
  "x-kubernetes-group-version-kind": [{ group: "berth.dev", kind, version }],
});
const thing = { type: "object", properties: { status: { type: "object", properties: { port: { type: "integer" } } } } };
const DOCUMENT = {
  openapi: "3.0.0",
  components: {
    schemas: {
      "dev.berth.v1alpha1.Thing": { ...thing, ...gvk("Thing") },
      "dev.berth.v1beta1.Thing": { type: "object", ...gvk("Thing", "v1beta1") },
      "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": { type: "object", properties: {} },
      "io.k8s.apimachinery.pkg.apis.meta.v1.Patch": { type: "object" },
    },
  },
};

it("the kinds of a version are read as the API server serves them, and again only when they have changed", async () => {
  const asked: string[] = [];
  const server = createServer(({ headers, url }, response) => {
    asked.push(`${url} ${headers["if-none-match"] ?? "-"}`);
    if (url !== "/openapi/v3/apis/berth.dev/v1alpha1") response.writeHead(404).end("{}");
    else if (headers["if-none-match"] === '"1"') response.writeHead(304).end();
    else response.writeHead(200, { etag: '"1"', "content-type": "application/json" }).end(JSON.stringify(DOCUMENT));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const credentials = { server: `http://127.0.0.1:${address.port}`, headers: {}, tls: {}, fingerprint: "1" };
  const transport = createTransport(async () => credentials);
  try {
    const read = createReadServed(transport, "berth.dev/v1alpha1");
    const served = await read();
    assert.equal(served?.etag, '"1"');
    assert.deepEqual([...(served?.kinds ?? [])], [["Thing", { properties: { status: { properties: { port: {} } } } }]]);
    assert.equal(await read(served?.etag), undefined);
    assert.deepEqual(
      asked.map((one) => one.split(" ")[1]),
      ["-", '"1"'],
    );
    await assert.rejects(
      createReadServed(transport, "berth.dev/v2")(),
      (error) => error instanceof KubeError && error.kind === "notFound",
    );
  } finally {
    await transport.close();
    server.close();
    server.closeAllConnections();
  }
});
