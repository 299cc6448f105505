import { createServer, type Server, type ServerResponse } from "node:http";
import { SIGNALS_PATH } from "../../contract/pod.ts";

export type AdminState = {
  /** Undefined while requests are wanted; otherwise why not. */
  notReady(): string | undefined;
  /** How long the thread that serves requests has been silent, in milliseconds, where that is too long to go on. */
  stuck(): number | undefined;
  status(): Promise<object>;
  metrics(): Promise<string>;
  /** Lines of JSON until the client leaves, where there are any. */
  signals?(response: ServerResponse): void;
};

/** The supervisor's port: answers whatever the shards and the data ports are doing. */
export const createAdminServer = (state: AdminState): Server =>
  createServer({ headersTimeout: 5000, requestTimeout: 10_000 }, (request, response) => {
    const send = (status: number, body: string, type = "text/plain; charset=utf-8"): void => {
      response.writeHead(status, { "content-type": type }).end(body);
    };
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      send(405, "this path takes GET and HEAD\n");
      return;
    }
    switch ((request.url ?? "/").split("?", 1)[0]) {
      case "/livez": {
        const stuckMs = state.stuck();
        if (stuckMs === undefined) send(200, "live\n");
        else send(500, `the data thread has not answered for ${Math.round(stuckMs / 1000)} s\n`);
        return;
      }
      case "/readyz": {
        const reason = state.notReady();
        send(reason === undefined ? 200 : 503, `${reason ?? "ready"}\n`);
        return;
      }
      case "/statusz":
        state.status().then(
          (status) => send(200, `${JSON.stringify(status, undefined, 2)}\n`, "application/json"),
          (error: unknown) => send(500, `${String(error)}\n`),
        );
        return;
      case "/metrics":
        state.metrics().then(
          (text) => send(200, text, "text/plain; version=0.0.4; charset=utf-8"),
          (error: unknown) => send(500, `${String(error)}\n`),
        );
        return;
      case SIGNALS_PATH:
        if (state.signals === undefined || request.method !== "GET") send(404, "no signals here\n");
        else state.signals(response);
        return;
      default:
        send(404, "there are /livez, /readyz, /metrics and /statusz\n");
    }
  });
