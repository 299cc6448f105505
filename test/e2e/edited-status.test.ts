/** What somebody else writes into a status does not stay in it, and costs nobody a request. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { isReady, waitFor } from "../world/model-deployment.ts";
import { eventually } from "../world/patience.ts";
import { modelDeployment, useWorld } from "./world.ts";

const written = z.looseObject({
  metadata: z.looseObject({
    resourceVersion: z.string(),
    managedFields: z.array(z.looseObject({ manager: z.string(), subresource: z.string().optional() })),
  }),
  status: z.looseObject({}),
});

describe("a status that somebody has edited", () => {
  const { world, namespace } = useWorld("e2e-edited-status");
  const name = "edited";
  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;
  const read = async () =>
    written.parse(JSON.parse(await kubectl("get", "mdeploy", name, "-o", "json", "--show-managed-fields")));
  const edit = (status: object): Promise<string> => {
    const patch = JSON.stringify({ status });
    return kubectl("patch", "mdeploy", name, "--subresource=status", "--type=merge", "-p", patch);
  };
  const ofStatus = async (): Promise<string[]> =>
    (await read()).metadata.managedFields
      .filter(({ subresource }) => subresource === "status")
      .map(({ manager }) => manager);

  const edits: Readonly<Record<string, object>> = {
    "a field that Berth leaves out": { devices: "8 made up" },
    "a part of an object that Berth leaves out": { scale: { why: "load" } },
    "a rollout that there is not": { rollout: { revision: "edited-none", phase: "observing", step: 1 } },
    "another stable revision": { stable: { revision: "edited-none", replicas: 5, ready: 5 } },
  };

  for (const [what, status] of Object.entries(edits)) {
    it(`by ${what}: it is as it was, and then nothing is written`, async () => {
      await world().apply([modelDeployment(name, {})], namespace);
      const before = await waitFor(world().cluster, { namespace, name }, "ready", isReady);
      await edit(status);
      await eventually(
        "the status is Berth's alone",
        async () => (await ofStatus()).every((manager) => manager === "berth"),
        read,
      );
      const after = await waitFor(world().cluster, { namespace, name }, "ready again", isReady);
      assert.equal(after.status.stable?.revision, before.status.stable?.revision);
      assert.deepEqual(after.status, before.status);
      const { resourceVersion } = (await read()).metadata;
      await sleep(3_000);
      assert.equal((await read()).metadata.resourceVersion, resourceVersion);
    });
  }
});
