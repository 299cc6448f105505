import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { createClient } from "./create-client.ts";
import { KubeError, NOT_LEADING } from "./errors.ts";
import { CONFIG_MAPS } from "./resources.ts";
import { createTransport } from "./transport.ts";

const key = (name: string) => ({ namespace: "default", name });
const configMap = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: key(name) });
const manager = { fieldManager: "test" };

type Respond = (request: IncomingMessage, response: ServerResponse) => void;

const ok: Respond = (request, response) => {
  const name = (request.url ?? "").split("?")[0]?.split("/").at(-1) ?? "";
  response.setHeader("content-type", "application/json").end(JSON.stringify(configMap(name)));
};

/** A server that answers by `respond`, a client whose writes `mayWrite` decides on, and what the server was asked. */
const withServer = async (
  options: { respond: Respond; mayWrite: () => boolean; read?: () => Promise<void> },
  use: (client: ReturnType<typeof createClient>, asked: string[], connections: () => number) => Promise<void>,
): Promise<void> => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${(request.url ?? "").split("?")[0]?.split("/").at(-1)}`);
    options.respond(request, response);
  }).listen(0, "127.0.0.1");
  let made = 0;
  server.on("connection", () => {
    made += 1;
  });
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const credentials = async () => {
    await options.read?.();
    return { server: `http://127.0.0.1:${address.port}`, headers: {}, tls: {}, fingerprint: "1" };
  };
  const transport = createTransport(credentials, { mayWrite: options.mayWrite });
  try {
    await use(createClient(transport), asked, () => made);
  } finally {
    await transport.close();
    server.close();
    server.closeAllConnections();
  }
};

const isKeptBack = (error: unknown): boolean => error instanceof KubeError && error.reason === NOT_LEADING;

describe("a write that waited while the lease was lost", () => {
  it("is not sent when a connection becomes free for it", async () => {
    let leads = true;
    const held: (() => void)[] = [];
    let allAreHeld = (): void => undefined;
    const full = new Promise<void>((resolve) => {
      allAreHeld = resolve;
    });
    const respond: Respond = (request, response) => {
      if (request.method !== "GET") return ok(request, response);
      held.push(() => ok(request, response));
      if (held.length === 8) allAreHeld();
    };
    await withServer({ respond, mayWrite: () => leads }, async (client, asked) => {
      const reads = Array.from({ length: 8 }, (_, i) => client.get(CONFIG_MAPS, key(`read-${i}`)));
      await full;
      const writes = [
        client.apply(CONFIG_MAPS, configMap("applied"), manager),
        client.create(CONFIG_MAPS, configMap("created"), manager),
        client.patch(CONFIG_MAPS, configMap("patched"), manager),
        client.delete(CONFIG_MAPS, key("deleted")),
      ].map((write) => assert.rejects(write, isKeptBack));
      const last = client.get(CONFIG_MAPS, key("read-8"));
      leads = false;
      for (const release of held) release();
      await Promise.all([...reads, ...writes]);
      while (held.length < 9) await new Promise((resolve) => setImmediate(resolve));
      held[8]?.();
      assert.equal((await last).metadata.name, "read-8");
      assert.deepEqual(
        asked.filter((one) => !one.startsWith("GET")),
        [],
      );
    });
  });

  it("is not sent again after a Retry-After", async () => {
    let leads = true;
    const respond: Respond = (_, response) => {
      leads = false;
      response.writeHead(429, { "retry-after": "0" }).end("{}");
    };
    await withServer({ respond, mayWrite: () => leads }, async (client, asked) => {
      await assert.rejects(client.apply(CONFIG_MAPS, configMap("a"), manager), isKeptBack);
      assert.deepEqual(asked, ["PATCH a"]);
    });
  });

  it("is not sent with credentials that had to be read first, nor again with newer ones", async () => {
    let leads = true;
    const read = async () => {
      leads = false;
    };
    await withServer({ respond: ok, mayWrite: () => leads, read }, async (client, asked) => {
      await assert.rejects(client.apply(CONFIG_MAPS, configMap("a"), manager), isKeptBack);
      assert.deepEqual(asked, []);
    });
    leads = true;
    const refuse: Respond = (_, response) => {
      leads = false;
      response.writeHead(401).end("{}");
    };
    await withServer({ respond: refuse, mayWrite: () => leads }, async (client, asked) => {
      await assert.rejects(client.apply(CONFIG_MAPS, configMap("a"), manager), isKeptBack);
      assert.deepEqual(asked, ["PATCH a"]);
    });
  });
});

it("whoever leads writes, and the connection serves the next request", async () => {
  await withServer({ respond: ok, mayWrite: () => true }, async (client, asked) => {
    for (const name of ["a", "b"]) {
      assert.equal((await client.apply(CONFIG_MAPS, configMap(name), manager)).metadata.name, name);
    }
    assert.deepEqual(asked, ["PATCH a", "PATCH b"]);
  });
});

it("writes that are kept back make no connections", async () => {
  let leads = true;
  await withServer({ respond: ok, mayWrite: () => leads }, async (client, asked, made) => {
    await client.get(CONFIG_MAPS, key("a"));
    const before = made();
    leads = false;
    for (let i = 0; i < 20; i += 1)
      await assert.rejects(client.create(CONFIG_MAPS, configMap("b"), manager), isKeptBack);
    // whoever connects does so before the answer to this
    await client.get(CONFIG_MAPS, key("a"));
    assert.ok(made() <= before + 1, `${made() - before} connections`);
    assert.deepEqual(asked, ["GET a", "GET a"]);
  });
});
