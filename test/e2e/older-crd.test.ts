/** The CRD is somebody else's to install (Helm's `crds.enabled: false`, GitOps in another order): it may be older than the operator. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { z } from "zod";
import { OPERATOR_NAMESPACE } from "../world/helm.ts";
import { isReady, waitFor } from "../world/model-deployment.ts";
import { modelDeployment, useWorld } from "./world.ts";

const CRD = "modeldeployments.berth.dev";
const OPERATOR = ["-n", OPERATOR_NAMESPACE, "-l", "app.kubernetes.io/name=berth-operator"];

const fields = z.looseObject({ properties: z.record(z.string(), z.unknown()) });
const crdSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string().optional() }),
  spec: z.looseObject({
    versions: z.array(
      z.looseObject({
        schema: z.looseObject({
          openAPIV3Schema: z.looseObject({ properties: z.looseObject({ status: fields }) }),
        }),
      }),
    ),
  }),
});
type Crd = z.infer<typeof crdSchema>;

describe("an operator that is newer than the installed CRD", () => {
  const { world, namespace } = useWorld("e2e-older-crd");
  const kubectl = async (args: string[], input?: object): Promise<string> =>
    (await world().cluster.kubectl(args, input === undefined ? {} : { input: JSON.stringify(input) })).stdout;
  const readCrd = async (): Promise<Crd> =>
    crdSchema.parse(JSON.parse(await kubectl(["get", "crd", CRD, "-o", "json"])));
  let whole: Crd | undefined;
  const restore = async (): Promise<void> => {
    if (whole === undefined) return;
    const { resourceVersion: _, ...metadata } = whole.metadata;
    await kubectl(["replace", "-f", "-"], { ...whole, metadata });
  };
  after(restore);
  const podsOf = (seen: { status: Record<string, unknown> }): unknown => seen.status.pods;
  const logs = () => kubectl(["logs", ...OPERATOR, "--tail=-1"]);

  it("says what the CRD lacks, and serves models without it", async () => {
    whole = await readCrd();
    const older = structuredClone(whole);
    for (const { schema } of older.spec.versions) delete schema.openAPIV3Schema.properties.status.properties.pods;
    await kubectl(["replace", "-f", "-"], older);
    await kubectl(["delete", "pod", ...OPERATOR, "--wait=true"]);

    await world().apply([modelDeployment("digits")], namespace);
    const seen = await waitFor(world().cluster, { namespace, name: "digits" }, "ready", isReady);
    assert.equal(podsOf(seen), undefined);
    const lines = (await logs()).split("\n").filter((line) => line.includes("is older than this operator"));
    assert.ok(lines.length > 0, "nothing is said of the CRD");
    assert.match(lines[0] ?? "", /"crd":"modeldeployments\.berth\.dev","lacks":\["status\.pods"\]/);
  });

  it("goes on when the CRD becomes older while it runs, and when it is whole again", async () => {
    await restore();
    const key = { namespace, name: "digits" };
    await waitFor(world().cluster, key, "told with its pods", (seen) => isReady(seen) && podsOf(seen) === "1/1");

    const older = await readCrd();
    for (const { schema } of older.spec.versions) delete schema.openAPIV3Schema.properties.status.properties.pods;
    await kubectl(["replace", "-f", "-"], older);
    await world().apply([modelDeployment("digits", { scaling: { minReplicas: 2 } })], namespace);
    await waitFor(world().cluster, key, "of two pods", (seen) => isReady(seen) && seen.status.stable?.ready === 2);
    await restore();
    await waitFor(world().cluster, key, "told with its pods", (seen) => podsOf(seen) === "2/2");
    assert.match(await logs(), /the installed CRD has all that this operator writes/);
  });
});
