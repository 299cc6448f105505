/** Whether Berth counts as the scheduler does: on made-up nodes without kubelets, with pods on them, for pods that come. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { fits } from "../../operator/domain/placement/fits.ts";
import { inSlices } from "../../operator/domain/placement/slices.ts";
import type { Pod } from "../../operator/platform/kube/objects.ts";
import {
  answers,
  atOnce,
  createDevices,
  createNode,
  createPod,
  enter,
  leave,
  nodeName,
  rooms,
  setStatus,
  TOLERATIONS,
} from "./bare-nodes.ts";
import { anyCase, type Case, type Resize, type Sitting } from "./generated-nodes.ts";

type PodSpec = NonNullable<Pod["spec"]>;

const SEED = Number(process.env.BERTH_SEED ?? Math.floor(Math.random() * 2 ** 31));
const CASES = Number(process.env.BERTH_NODES ?? 60);
/** Pods that come to each node. */
const COPIES = 4;

const createSitting = async ({ phase, resize, spec }: Sitting, name: string, node: string): Promise<void> => {
  await createPod(name, { ...spec, nodeName: node, tolerations: [{ operator: "Exists" }] });
  await setStatus(name, { phase, ...(resize === undefined ? {} : resized(spec, resize)) });
};

const resized = (spec: PodSpec, { allocated, infeasible, resources }: Resize): NonNullable<Pod["status"]> => {
  const held = ({ name }: { name: string }) => ({
    ...{ name, image: "x", imageID: "x", ready: false, restartCount: 0, state: { waiting: { reason: "Testing" } } },
    ...{ resources: { requests: resources }, allocatedResources: allocated },
  });
  return {
    conditions: [{ type: "PodResizePending", status: "True", reason: infeasible ? "Infeasible" : "Deferred" }],
    containerStatuses: spec.containers.map(held),
    initContainerStatuses: (spec.initContainers ?? []).map(held),
  };
};

/** The pod that comes, for this node alone. */
const comingTo = (node: string, { coming }: Case): PodSpec => {
  const wanted = coming.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const matchFields = [{ key: "metadata.name", operator: "In", values: [node] }];
  const nodeSelectorTerms = wanted.map((term) => ({ ...term, matchFields }));
  return {
    ...coming,
    tolerations: [...TOLERATIONS, ...(coming.tolerations ?? [])],
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  };
};

describe("Berth counts as the scheduler does", () => {
  before(enter);
  after(leave);

  it(`on ${CASES} made-up nodes (BERTH_SEED=${SEED})`, async (t) => {
    const cases = fc.sample(anyCase, { seed: SEED, numRuns: CASES });
    await atOnce(cases, (one, at) => createNode(nodeName(at), one, one.labels));
    const seats = cases.flatMap(({ sitting }, at) => sitting.map((one, seat) => ({ one, at, seat })));
    await atOnce(seats, ({ at, one, seat }) => createSitting(one, `sitting-${at}-${seat}`, nodeName(at)));
    const found = await rooms();

    const specs = new Map<number, PodSpec>();
    const coming = cases.flatMap((one, at) => Array.from({ length: COPIES }, (_, copy) => ({ one, at, copy })));
    await atOnce(coming, async ({ at, copy, one }) => {
      specs.set(at, await createPod(`coming-${at}-${copy}`, comingTo(nodeName(at), one)));
    });
    const given = await answers(found.length, "coming-", coming.length);

    const counts: number[] = [];
    for (const [at, one] of cases.entries()) {
      const room = found.find(({ node }) => node === nodeName(at));
      const spec = specs.get(at);
      assert.ok(room !== undefined && spec !== undefined);
      const said = Array.from({ length: COPIES }, (_, copy) => given.get(`coming-${at}-${copy}`) ?? "");
      const real = said.filter((answer) => answer === "scheduled").length;
      const why = said.find((answer) => answer !== "scheduled");
      assert.equal(
        await inSlices(fits([room], spec, COPIES)),
        real,
        `node ${at} of BERTH_SEED=${SEED}: ${why}\n${JSON.stringify(one)}`,
      );
      counts.push(real);
    }
    const tally = Map.groupBy(counts.toSorted(), (count) => count);
    t.diagnostic(
      `nodes by pods that they took: ${[...tally].map(([count, those]) => `${count}: ${those.length}`).join(", ")}`,
    );
    // some that take none, and others that take more or fewer, or it has compared nothing
    assert.ok(tally.has(0) && tally.size > 2, [...new Set(given.values())].join("\n"));
  });

  it("of devices that claims may have: it does not know, until none is left", async () => {
    const node = nodeName("devices");
    await createNode(node, { allocatable: { cpu: "8", memory: "8Gi", pods: "9" } });
    const { template } = await createDevices(node, 2);
    const claiming: PodSpec = {
      containers: [{ name: "c", image: "example.com/nothing:1", resources: { claims: [{ name: "one" }] } }],
      resourceClaims: [{ name: "one", resourceClaimTemplateName: template }],
      tolerations: TOLERATIONS,
    };
    const room = async () => (await rooms()).filter((one) => one.node === node);
    assert.equal(await inSlices(fits(await room(), claiming, 2)), undefined);
    const all = (await rooms()).length;
    await createPod("claiming-0", claiming);
    await createPod("claiming-1", claiming);
    await answers(all, "claiming-", 2, (answer) => answer === "scheduled");
    assert.equal(await inSlices(fits(await room(), claiming, 2)), 0);
    await createPod("claiming-2", claiming);
    // while the claim is not there yet, it says something else
    const given = await answers(all, "claiming-", 3, (answer) => /^scheduled$|cannot allocate all claims/.test(answer));
    assert.notEqual(given.get("claiming-2"), "scheduled");
  });
});
