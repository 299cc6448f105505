import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { countArrival, createDemand, isProbe, takeCrowd } from "./demand.ts";
import type { Message } from "./message.ts";

const message = (method: string, target: string, protocol: "http" | "grpc" = "http"): Message => ({
  ...{ protocol, method, target, fields: [], body: { kind: "whole", pieces: [], bytes: 0 } },
});

describe("demand", () => {
  it("counts each request, and the most of a tenth of a second since it was last asked", () => {
    const demand = createDemand();
    for (const at of [0, 10, 99, 100, 250, 260]) countArrival(demand, at);
    assert.equal(demand.arrived, 6);
    assert.equal(takeCrowd(demand), 3);
    countArrival(demand, 900);
    assert.equal(takeCrowd(demand), 1);
  });

  it("is no probe: what asks only whether it could ask wakes no model", () => {
    for (const target of [
      "/v2/health/ready",
      "/v2/health/live?x=1",
      "/v2/models/digits/ready",
      "/v2/models/digits/versions/1/ready",
    ])
      assert.equal(isProbe(message("GET", target)), true, target);
    for (const target of ["/grpc.health.v1.Health/Check", "/inference.GRPCInferenceService/ServerReady"])
      assert.equal(isProbe(message("POST", target, "grpc")), true, target);
    assert.equal(isProbe(message("POST", "/v2/models/digits/infer")), false);
    assert.equal(isProbe(message("GET", "/v2/models/digits")), false);
    assert.equal(isProbe(message("POST", "/v2/models/ready/infer")), false);
    assert.equal(isProbe(message("POST", "/inference.GRPCInferenceService/ModelInfer", "grpc")), false);
  });
});
