import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { it } from "node:test";
import { startRouter } from "../../test/world/router.ts";
import { createHttpServer } from "../transport/http/index.ts";

const APP = "https://app.example.com";

it("questions of browsers reach the pods, and what these answer reaches the browsers", async (t) => {
  const infer = { POST: () => ({ status: 200, headers: {}, parts: ["{}"] }) };
  const pod = createHttpServer(
    [{ paths: new Map([["/v2/models/m/infer", infer]]), explain: () => undefined }],
    { maxBodyBytes: 1000, maxConnectionAgeMs: 300_000, origins: new Set([APP]) },
    { error: () => undefined },
  );
  const http = await pod.listen(0, "127.0.0.1");
  t.after(() => pod.close());
  const { port, close } = await startRouter([{ http, grpc: http }]);
  t.after(close);
  const ask = async (method: string, headers: Record<string, string>): Promise<IncomingMessage> => {
    const sent = httpRequest({ port, host: "127.0.0.1", method, path: "/v2/models/m/infer", headers, agent: false });
    sent.end(method === "POST" ? "{}" : undefined);
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    response.resume();
    await once(response, "end");
    return response;
  };
  for (const [origin, allowed] of [
    [APP, APP],
    ["https://evil.example", undefined],
  ] as const) {
    const asked = { "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
    const preflight = await ask("OPTIONS", { origin, ...asked });
    assert.equal(preflight.statusCode, allowed === undefined ? 403 : 200);
    assert.equal(preflight.headers["access-control-allow-origin"], allowed);
    assert.equal(preflight.headers["access-control-allow-headers"], allowed && "content-type");
    const answer = await ask("POST", { origin, "content-type": "application/json" });
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers["access-control-allow-origin"], allowed);
    assert.match(answer.headers.vary ?? "", /origin/);
  }
});
