import { once } from "node:events";
import type { RequestListener, Server } from "node:http";
import type { Registry } from "prom-client";

// An import of it reads all that it exports, and with that loads Node's own fetch and WebSocket: 40 ms of each start.
const { createServer } = process.getBuiltinModule("node:http");

/** Why a probe fails, or undefined when all is well. */
export type Check = () => string | undefined;

export type Servers = { close(): Promise<void> };

/** `/livez` and `/readyz` on one port, `/metrics` on another, so that a network policy can tell them apart. */
export const serveProbes = async (options: {
  probePort: number;
  metricsPort: number;
  live: Check;
  ready: Check;
  registry: Registry;
}): Promise<Servers> => {
  const checks = new Map([
    ["/livez", options.live],
    ["/readyz", options.ready],
  ]);
  const servers = [
    createServer(
      answer((path) => {
        const check = checks.get(path);
        if (check === undefined) return undefined;
        const failure = check();
        return { status: failure === undefined ? 200 : 503, type: "text/plain", body: `${failure ?? "ok"}\n` };
      }),
    ),
    createServer(
      answer(async (path) => {
        if (path !== "/metrics") return undefined;
        return { status: 200, type: options.registry.contentType, body: await options.registry.metrics() };
      }),
    ),
  ];
  const [probes, metrics] = servers;
  await Promise.all([listen(probes, options.probePort), listen(metrics, options.metricsPort)]);
  return { close: async () => void (await Promise.all(servers.map(close))) };
};

type Answer = { status: number; type: string; body: string } | undefined;

const answer =
  (respond: (path: string) => Answer | Promise<Answer>): RequestListener =>
  (request, response) => {
    void (async () => {
      const path = (request.url ?? "/").split("?")[0] ?? "/";
      const { status, type, body } = (await respond(path)) ?? { status: 404, type: "text/plain", body: "not found\n" };
      response.writeHead(status, { "content-type": type }).end(body);
    })().catch((error: unknown) => response.writeHead(500).end(`${error}\n`));
  };

const listen = async (server: Server | undefined, port: number): Promise<void> => {
  if (server === undefined) return;
  server.listen(port);
  await once(server, "listening");
};

const close = async (server: Server): Promise<void> => {
  server.close();
  server.closeAllConnections();
  await once(server, "close");
};
