/** What the chart says of routers is refused exactly where the operator would refuse it: a pod that does not start tells nobody why. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseForwardedTrust } from "../../contract/forwarded-trust.ts";
import { parseRouterResources } from "../../operator/router-resources.ts";
import { CHART, helm } from "./render.ts";

const renderRouter = (router: object) =>
  helm(
    ...["template", "berth", CHART, "--kube-version", "1.30.0", "--show-only", "templates/deployment.yaml"],
    ...["--set-json", `router=${JSON.stringify({ resources: {}, trustForwarded: "none", ...router })}`],
  );

const agrees = async (router: object, fault: string | undefined, message: RegExp): Promise<void> => {
  if (fault === undefined) await renderRouter(router);
  else await assert.rejects(renderRouter(router), message, `${JSON.stringify(router)}: ${fault}`);
};

const faultOf = (decide: () => unknown): string | undefined => {
  try {
    decide();
    return undefined;
  } catch (error) {
    return String(error);
  }
};

const memory = fc.constantFrom(
  ...[
    "512Mi",
    "511Mi",
    "536870912",
    "536870911",
    ".5Gi",
    "0.49Gi",
    "0.6G",
    "5e8",
    "6E8",
    "+1Gi",
    "1Ti",
    "1Gi1",
    "-1Gi",
    "lots",
  ],
  ...[536_870_912, 5e8, -1, 0],
);
const cpu = fc.constantFrom("1", "1000m", "999m", "1000000u", "5.", ".5", 0.5, 2, "1e0", "1e-1", "1n", "one");
const amounts = fc.record({ memory, cpu }, { requiredKeys: [] });

test("resources", async () => {
  await fc.assert(
    fc.asyncProperty(fc.record({ requests: amounts, limits: amounts }, { requiredKeys: [] }), async (resources) => {
      // the defaults of the chart are under what is set
      const whole = {
        requests: { cpu: "100m", memory: "128Mi", ...resources.requests },
        limits: { memory: "768Mi", ...resources.limits },
      };
      const fault = faultOf(() => parseRouterResources(JSON.stringify(whole)));
      await agrees({ resources }, fault, /router[./]resources/);
    }),
    { numRuns: 20 },
  );
});

const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom("1.2.3", "256.0.0.1", "01.2.3.4", "::", ":::", "::1", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8"),
  fc.constantFrom(
    "1:2:3:4:5:6:7::",
    "1:2:3:4:5:6:7:8::",
    "::ffff:1.2.3.4",
    "1.2.3.4::",
    "fe80::1%eth0",
    "12345::",
    "g::",
    "",
    ":",
  ),
);
const length = fc.constantFrom("", "/0", "/8", "/32", "/33", "/128", "/129", "/08", "/", "/8/8");
const range = fc.tuple(address, length).map((parts) => parts.join(""));

test("who is trusted", async () => {
  const one = fc.oneof(
    range,
    fc.tuple(range, range).map((both) => both.join(", ")),
    fc.constantFrom("none", "all"),
  );
  await fc.assert(
    fc.asyncProperty(one, async (trustForwarded) => {
      const isWrong = parseForwardedTrust(trustForwarded) === undefined;
      await agrees({ trustForwarded }, isWrong ? "no range" : undefined, /router[./]trustForwarded/);
    }),
    { numRuns: 30 },
  );
});
