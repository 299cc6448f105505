import assert from "node:assert/strict";
import { it } from "node:test";
import { DEFAULT_ROUTER_RESOURCES, parseRouterResources } from "./router-resources.ts";

it("takes requests and limits, numbers too", () => {
  assert.deepEqual(parseRouterResources('{"limits":{"cpu":2,"memory":"1Gi"}}'), {
    requests: {},
    limits: { cpu: "2", memory: "1Gi" },
  });
  assert.equal(parseRouterResources(DEFAULT_ROUTER_RESOURCES).limits.cpu, undefined);
});

const refused: [text: string, message: RegExp][] = [
  ["cpu=1", /must be JSON like/],
  ['{"limits":{"cpu":"fast"}}', /an amount is not a quantity/],
  ['{"limits":{"cpu":"-1"}}', /an amount is not a quantity/],
  ['{"limit":{}}', /Unrecognized key/],
  ['{"requests":{"cpu":"1"},"limits":{"cpu":"500m"}}', /limits\.cpu 500m is less than requests\.cpu 1/],
  ['{"limits":{"memory":"256Mi"}}', /limits\.memory must be at least 512Mi/],
];
for (const [text, message] of refused) {
  it(`refuses ${text}`, () => assert.throws(() => parseRouterResources(text), message));
}
