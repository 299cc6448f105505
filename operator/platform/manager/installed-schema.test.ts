import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Client } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import type { KubeObject, Resource } from "../kube/objects.ts";
import type { Served } from "../kube/open-api.ts";
import type { Schema } from "../kube/schema.ts";
import { createInstalledSchema, type SchemaNews } from "./installed-schema.ts";

const THING: Resource<KubeObject> = { apiVersion: "berth.dev/v1", kind: "Thing", plural: "things", namespaced: true };
const schemaOf = (...fields: string[]): Schema => ({
  properties: { status: { properties: Object.fromEntries(fields.map((name) => [name, {}])) } },
});
const served = (etag: string, schema?: Schema): Served => ({
  etag,
  kinds: new Map(schema === undefined ? [] : [["Thing", schema]]),
});
const object = { apiVersion: "berth.dev/v1", kind: "Thing", metadata: { name: "a" }, status: { old: 1, young: 2 } };
const unknownField = new KubeError("apply Thing a: .status.young: field not declared in schema", {
  kind: "retryable",
  reason: "InternalError",
  status: 500,
});

/** A cluster whose schema the test changes, and which refuses what it does not know. */
const cluster = (first: Schema | undefined) => {
  const state = { schema: first, etag: 1, asked: 0, reads: (): void => undefined };
  const news: SchemaNews[] = [];
  const written: unknown[] = [];
  const installed = createInstalledSchema(
    async (etag) => {
      state.asked++;
      return etag === String(state.etag) ? undefined : served(String(state.etag), state.schema);
    },
    () => [{ resource: THING, schema: schemaOf("old", "young") }],
    (one) => news.push(one),
  );
  const unused = () => Promise.reject(new Error("not used"));
  const apply = async <T>(_: unknown, sent: object): Promise<T> => {
    const fields = Object.keys(state.schema?.properties?.status?.properties ?? {});
    const status = "status" in sent && typeof sent.status === "object" ? sent.status : undefined;
    if (Object.keys(status ?? {}).some((name) => !fields.includes(name))) throw unknownField;
    written.push(status);
    return JSON.parse(JSON.stringify(sent));
  };
  const client: Client = {
    get: unused,
    each: unused,
    list: unused,
    delete: unused,
    create: unused,
    patch: unused,
    apply,
  };
  const writer = installed.writer(client);
  const write = () => writer.apply(THING, object, { fieldManager: "test" });
  const change = (schema: Schema | undefined) => {
    state.schema = schema;
    state.etag++;
  };
  /** One look, as at the start. */
  const look = async () => {
    const stop = new AbortController();
    const running = installed.run(stop.signal);
    stop.abort();
    await running;
  };
  return { change, installed, look, news, state, write, written };
};

describe("a schema in the cluster that is older than this program", () => {
  it("is named with what it lacks, once, and what it does not know is not written", async () => {
    const { look, news, write, written } = cluster(schemaOf("old"));
    await look();
    await look();
    assert.deepEqual(news, [{ is: "older", crd: "things.berth.dev", lacks: ["status.young"] }]);
    await write();
    assert.deepEqual(written, [{ old: 1 }]);
  });

  it("is noticed when it comes later, by the refusal, and when it goes again", async () => {
    const { change, look, news, write, written } = cluster(schemaOf("old", "young", "younger"));
    await look();
    await write();
    change(schemaOf("old"));
    await write();
    change(schemaOf("old", "young"));
    await look();
    await write();
    assert.deepEqual(written, [{ old: 1, young: 2 }, { old: 1 }, { old: 1, young: 2 }]);
    assert.deepEqual(
      news.map(({ is }) => is),
      ["older", "complete"],
    );
  });

  it("is looked at once for many refusals, and a refusal that has another cause stays one", async () => {
    const { change, look, state, write } = cluster(schemaOf("old", "young"));
    await look();
    state.schema = schemaOf("old"); // what the API server serves as OpenAPI comes later than what it refuses by
    const asked = state.asked;
    const writes = await Promise.allSettled([write(), write(), write()]);
    assert.deepEqual(
      writes.map(({ status }) => status),
      ["rejected", "rejected", "rejected"],
    );
    assert.equal(state.asked, asked + 1);
    change(schemaOf("old"));
    await write();
  });

  it("that cannot be read is told once, with the reason, and nothing is left out", async () => {
    const news: SchemaNews[] = [];
    const refuse = () => Promise.reject(new Error("forbidden"));
    const installed = createInstalledSchema(
      refuse,
      () => [],
      (one) => news.push(one),
    );
    for (let i = 0; i < 2; i++) {
      const stop = new AbortController();
      const running = installed.run(stop.signal);
      stop.abort();
      await running;
    }
    assert.deepEqual(news, [{ is: "unreadable", why: "forbidden" }]);
  });

  it("is not looked at while a start has something else to do", async () => {
    const { installed, state } = cluster(schemaOf("old"));
    const stop = new AbortController();
    const running = installed.run(stop.signal, 3_600_000);
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await running;
    assert.equal(state.asked, 0);
  });

  it("that is not there at all is named", async () => {
    const { look, news } = cluster(undefined);
    await look();
    assert.deepEqual(news, [{ is: "missing", crd: "things.berth.dev" }]);
  });
});
