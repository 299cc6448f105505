/** What kubectl shows of a ModelDeployment, and names that JavaScript's objects have by themselves: all of it at once. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { infer } from "../world/client.ts";
import { isReady, type Seen, waitFor } from "../world/model-deployment.ts";
import { ANGLE_FILE, answerHere, distance, question } from "../world/reference.ts";
import { modelDeployment, useWorld } from "./world.ts";

/** The namespace and the ModelDeployment alike. */
const NAME = "constructor";
const LABELS = { constructor: "toString", toString: "constructor", hasOwnProperty: "valueOf" };

describe("a ModelDeployment called constructor", () => {
  const { world, namespace } = useWorld(NAME);
  const key = { namespace, name: NAME };
  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;
  const applied = (spec: object = {}) => {
    const floor = [{ cron: "* * * * *", minReplicas: 2 }];
    const rollout = { strategy: "canary", steps: [{ weight: "50%" }] };
    return world().apply(
      [
        modelDeployment(NAME, {
          podLabels: LABELS,
          scaling: { minReplicas: 1, maxReplicas: 3, schedule: floor },
          ...{ rollout, traffic: { path: "router" } },
          ...spec,
        }),
      ],
      namespace,
    );
  };
  const seen = (what: string, holds: (object: Seen) => boolean) => waitFor(world().cluster, key, what, holds);
  const table = async (...args: string[]): Promise<[string, string]> => {
    const [head = "", line = ""] = (await kubectl("get", ...args)).split("\n");
    return [head.replace(/ +/g, " ").trim(), line.replace(/ +/g, " ").trim()];
  };

  it("in a namespace of that name and with such labels answers through the router, with the pods that its schedule says", async () => {
    await kubectl("label", "namespace", namespace, ...Object.entries(LABELS).map((pair) => pair.join("=")));
    await applied();
    const { status } = await seen("ready", (object) => isReady(object) && object.status.stable?.ready === 2);
    const { upright } = await question(192);
    const answer = await infer(world().cluster, { url: status.url ?? "", model: NAME }, upright);
    assert.ok(distance(answer, await answerHere(ANGLE_FILE, upright)) < 1e-4);
    const labelled = Object.entries(LABELS).map((pair) => pair.join("="));
    const pods = await kubectl("get", "pods", "-l", labelled.join(), "-o", "name");
    assert.equal(pods.trim().split("\n").length, 2);
  });

  it("is shown with its URL and a canary's share", async () => {
    const before = await seen("ready", isReady);
    const stable = before.status.stable?.revision ?? "";
    assert.equal(
      (await table("modeldeployment", NAME))[0],
      "NAME READY PHASE STABLE WEIGHT REPLICAS DEVICES URL MESSAGE AGE",
    );
    await applied({ server: { requestTimeout: "20s" } });
    await seen("on trial", (object) => /50 % of the requests go to/.test(object.status.message ?? ""));
    const [, line] = await table("mdeploy", NAME);
    assert.match(
      line,
      new RegExp(`^${NAME} Unknown Progressing ${stable} 50 \\d/\\d http://${NAME}\\.${NAME}\\.svc step 1 of 1: 50 %`),
    );
    const [head, wide] = await table("mdeploy", NAME, "-o", "wide");
    assert.equal(head, "NAME READY PHASE STABLE WEIGHT REPLICAS DEVICES EP MODEL DIGEST URL MESSAGE AGE");
    assert.match(wide, / cpu (sha256:)?[0-9a-f]{64} http/);
  });

  it("is described with its conditions, events and the routing table, and explained field by field", async () => {
    const described = await kubectl("describe", "mdeploy", NAME);
    for (const part of [/Type: +Ready/, /Type: +Available/, /Routes:/, /Weight: +50\n/, /Events:\n.*\n.*\n.+berth/s])
      assert.match(described, part);
    const explained = await kubectl("explain", "modeldeployment.spec.model.uri");
    assert.match(explained, /KIND: +ModelDeployment[\s\S]*FIELD: uri <string>[\s\S]*Where the ONNX file is/);
    assert.match(await kubectl("explain", "mdeploy.status.traffic.routes"), /weight\s+<integer>/);
  });
});
