import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeModelDeployment } from "./model-deployments.ts";

const status = { observedGeneration: 1, traffic: { epoch: 1, port: 20_000, routes: [] } };

describe("what a router takes from a ModelDeployment", () => {
  it("is how long requests and streams may take, as its spec says", () => {
    const wanted = decodeModelDeployment({
      spec: {
        server: { requestTimeout: "1m30s" },
        traffic: { queue: { maxRequests: 5, maxWait: "2s" }, streamIdleTimeout: "20m" },
      },
      status,
    });
    assert.ok(wanted !== undefined);
    const { maxRequests, maxWaitMs, requestTimeoutMs, streamIdleMs } = wanted.settings;
    assert.deepEqual([maxRequests, maxWaitMs, requestTimeoutMs, streamIdleMs], [5, 2000, 90_000, 1_200_000]);
  });

  it("is what the documents say where the spec says nothing", () => {
    const { maxRequests, maxWaitMs, requestTimeoutMs, streamIdleMs } =
      decodeModelDeployment({ spec: {}, status })?.settings ?? assert.fail();
    assert.deepEqual([maxRequests, maxWaitMs, requestTimeoutMs, streamIdleMs], [1000, 60_000, 30_000, 300_000]);
  });
});
