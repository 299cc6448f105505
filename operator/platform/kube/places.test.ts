import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { describe, it } from "node:test";
import fc from "fast-check";
import { until } from "../../../test/world/patience.ts";
import { createClient } from "./create-client.ts";
import { createPlaces } from "./places.ts";
import { DEPLOYMENTS, SERVICES } from "./resources.ts";
import { createTransport } from "./transport.ts";

const always = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("places", () => {
  it("are as many as there may be, in the order of asking, and no wait outlives its signal", async () => {
    const places = createPlaces({ most: 1, slowMs: 60_000, mostSlow: 1 });
    const first = await places.take("a", always);
    const stop = new AbortController();
    const got: string[] = [];
    const second = places.take("a", stop.signal).catch((error: unknown) => got.push(String(error)));
    const third = places.take("b", always).then((giveBack) => {
      got.push("third");
      giveBack();
    });
    stop.abort("late");
    await second;
    assert.deepEqual(got, ["late"]);
    first();
    first();
    await third;
    const fourth = await places.take("c", always);
    fourth();
  });

  it("are given up by what is slow, of which each group has so many", async () => {
    const places = createPlaces({ most: 2, slowMs: 1, mostSlow: 2 });
    const slow = [await places.take("a", always), await places.take("a", always)];
    // both are slow by now: others pass, and those of the group wait
    const other = await places.take("b", always);
    let isIn = false;
    const next = places.take("a", always).then((giveBack) => {
      isIn = true;
      return giveBack;
    });
    const another = await places.take("b", always);
    await turn();
    assert.equal(isIn, false);
    slow[0]?.();
    (await next)();
    for (const giveBack of [other, another, ...slow]) giveBack();
  });

  it("are all free again, whatever was taken and given back in which order", async () => {
    const asked = fc.array(fc.record({ group: fc.constantFrom("a", "b"), isLate: fc.boolean() }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(asked, async (all) => {
        const places = createPlaces({ most: 2, slowMs: 1, mostSlow: 1 });
        await Promise.all(
          all.map(async ({ group, isLate }) => {
            const giveBack = await places.take(group, always);
            if (isLate) await new Promise((resolve) => setTimeout(resolve, 2));
            giveBack();
          }),
        );
        const [one, two] = [await places.take("a", always), await places.take("b", always)];
        one();
        two();
      }),
      { numRuns: 30 },
    );
  });
});

it("writes that hang in one namespace hold up neither other kinds there, nor other namespaces", async () => {
  const held = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    if (path.includes("/namespaces/hangs/deployments")) return void held.add(response);
    const metadata = { name: "a", namespace: "b" };
    response.end(JSON.stringify({ apiVersion: "v1", kind: "Service", metadata }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const transport = createTransport(() =>
    Promise.resolve({ server: `http://127.0.0.1:${address.port}`, headers: {}, tls: {}, fingerprint: "1" }),
  );
  const client = createClient(transport, { timeoutMs: 120_000 });
  const object = (kind: string, namespace: string, name: string) => ({
    ...{ apiVersion: kind === "Service" ? "v1" : "apps/v1", kind },
    metadata: { namespace, name },
  });
  const hung = Array.from({ length: 20 }, (_, i) =>
    client.create(DEPLOYMENTS, object("Deployment", "hangs", `a${i}`), { fieldManager: "test" }).catch(() => undefined),
  );
  await until("the first hang", () => held.size >= 8);
  for (const namespace of ["hangs", "other"]) {
    await client.apply(SERVICES, object("Service", namespace, "a"), { fieldManager: "test" });
    await client.get(SERVICES, { namespace, name: "a" });
  }
  assert.ok(held.size < 20, `${held.size} hang at the API server`);
  await transport.close();
  server.close();
  server.closeAllConnections();
  await Promise.all(hung);
});
