import { createServer, type Server } from "node:http";

export type AdminState = {
  /** Undefined while requests are wanted; otherwise why not. */
  notReady(): string | undefined;
  status(): object;
  metrics(): Promise<string>;
};

/** The supervisor's port: answers whatever a shard is doing. */
export const createAdminServer = (state: AdminState): Server =>
  createServer({ headersTimeout: 5000, requestTimeout: 10_000 }, (request, response) => {
    const send = (status: number, body: string, type = "text/plain; charset=utf-8"): void => {
      response.writeHead(status, { "content-type": type }).end(body);
    };
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      send(405, "this path wants GET\n");
      return;
    }
    switch ((request.url ?? "/").split("?", 1)[0]) {
      case "/livez":
        send(200, "live\n");
        return;
      case "/readyz": {
        const reason = state.notReady();
        send(reason === undefined ? 200 : 503, `${reason ?? "ready"}\n`);
        return;
      }
      case "/statusz":
        send(200, `${JSON.stringify(state.status(), undefined, 2)}\n`, "application/json");
        return;
      case "/metrics":
        state.metrics().then(
          (text) => send(200, text, "text/plain; version=0.0.4; charset=utf-8"),
          (error: unknown) => send(500, `${String(error)}\n`),
        );
        return;
      default:
        send(404, "there are /livez, /readyz, /metrics and /statusz\n");
    }
  });
