/** spec.replicas from Git, with an HPA beside it: each way to apply a manifest, through both handovers. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { isReady, waitFor } from "../world/model-deployment.ts";
import { modelDeployment, useWorld } from "./world.ts";

const scaleSchema = z.object({ spec: z.object({ replicas: z.number() }) });
const deploymentsSchema = z.object({ items: z.array(z.object({ spec: z.object({ replicas: z.number() }) })) });
const external = { scaling: { mode: "external" } };

const appliers: [name: string, args: string[]][] = [
  ["server-side", ["apply", "--server-side", "--field-manager=git"]],
  ["flux", ["apply", "--server-side", "--field-manager=flux", "--force-conflicts"]],
  ["client-side", ["apply"]],
];

describe("spec.replicas from Git", () => {
  const { world, namespace } = useWorld("e2e-replicas");
  const kubectl = async (args: string[], input?: string): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args], input === undefined ? {} : { input })).stdout;

  for (const [name, args] of appliers) {
    describe(`applied ${name}`, () => {
      const git = (spec: Record<string, unknown>) =>
        kubectl([...args, "-f", "-"], JSON.stringify(modelDeployment(name, spec)));
      const numberOf = async (): Promise<number> =>
        scaleSchema.parse(
          JSON.parse(
            await kubectl([
              "get",
              "--raw",
              `/apis/berth.dev/v1alpha1/namespaces/${namespace}/modeldeployments/${name}/scale`,
            ]),
          ),
        ).spec.replicas;
      const scale = (replicas: number) => kubectl(["scale", `mdeploy/${name}`, `--replicas=${replicas}`]);
      /** The operator has seen the spec, and this is what it asks for. */
      const pods = async (wanted: number): Promise<void> => {
        await waitFor(world().cluster, { namespace, name }, `${wanted} pods wanted`, ({ status }) => {
          return status.stable?.replicas === wanted;
        });
        const list = await kubectl(["get", "deployments", "-l", `berth.dev/model-deployment=${name}`, "-o", "json"]);
        assert.deepEqual(deploymentsSchema.parse(JSON.parse(list)).items, [{ spec: { replicas: wanted } }]);
      };

      before(async () => {
        await git(external);
        await waitFor(world().cluster, { namespace, name }, "ready", isReady);
      });
      after(() => kubectl(["delete", "mdeploy", name, "--wait=false"]));

      it("goes through both handovers without an edit by hand, and no handover takes a pod away", async () => {
        await pods(1);
        await git({ scaling: { minReplicas: 3 } });
        await pods(3);
        assert.equal(await numberOf(), 1);
        await git(external);
        await pods(3);
        await git({ replicas: 1, ...external });
        await pods(1);
        await scale(2);
        await pods(2);
        await git(external);
        await pods(2);
        await scale(3);
        await pods(3);
        await git({ scaling: { minReplicas: 1 } });
        await pods(1);
        await git(external);
        await pods(1);
      });
    });
  }
});
