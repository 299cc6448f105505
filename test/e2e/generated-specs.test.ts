/**
 * Whatever the schema allows, and whatever is done to an object and to its children: in the end it is ready, or its status says
 * why not; a good spec heals it; and then nothing is written any more. BERTH_SEED repeats a run, BERTH_OBJECTS and BERTH_STEPS
 * make it longer, BERTH_QUIET_SECONDS is how long nothing may be written (120 in a full run).
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { z } from "zod";
import type { ModelDeploymentSpec } from "../../operator/api/v1alpha1/index.ts";
import { CommandFailed } from "../cluster/index.ts";
import { anySpec } from "../simulation/specs.ts";
import { conditionOf, isReady, isStalled, read, type Seen, statusOf, waitFor } from "../world/model-deployment.ts";
import { eventually } from "../world/patience.ts";
import { ANGLE, modelDeployment, useWorld } from "./world.ts";

const SEED = Number(process.env.BERTH_SEED ?? Math.floor(Date.now() / 86_400_000));
const OBJECTS = Number(process.env.BERTH_OBJECTS ?? 4);
const STEPS = Number(process.env.BERTH_STEPS ?? 5);
const QUIET_SECONDS = Number(process.env.BERTH_QUIET_SECONDS ?? 20);
const CHILDREN = "deployments,services,controllerrevisions,configmaps,poddisruptionbudgets,networkpolicies";

/** Of a spec that is made up, pods start for real: a thousand of them would only take their time. */
const usable = (spec: ModelDeploymentSpec): Record<string, unknown> => ({
  ...spec,
  model: { ...spec.model, uri: ANGLE, sha256: undefined, caBundle: undefined, credentials: undefined },
  replicas: undefined,
  scaling: { minReplicas: Math.min(spec.scaling?.minReplicas ?? 1, 2) },
});

const templatePatch = (spec: object): string => JSON.stringify({ spec: { template: { spec } } });

/** Never wanted, and never there in the end. */
const SIDECAR = { name: "sidecar", image: "localhost/evil:1" };
const FORBIDDEN = ["LD_PRELOAD", '"hostNetwork": true', '"also"', '"sidecar"', "restartedAt"];

type Step =
  | { what: "spec"; spec: Record<string, unknown> }
  | { what: "delete and create" }
  | { what: "edit"; child: string; patch: string }
  | { what: "delete child"; child: string };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: anySpec.map((spec): Step => ({ what: "spec", spec: { ...spec } })) },
  { weight: 4, arbitrary: anySpec.map((spec): Step => ({ what: "spec", spec: usable(spec) })) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Step>(
      { what: "spec", spec: {} },
      { what: "spec", spec: { scaling: { minReplicas: 0 } } },
      { what: "spec", spec: { scaling: { minReplicas: -1 } } },
      { what: "spec", spec: { accelerator: { vendor: "nvidia", count: 16 }, scaling: { minReplicas: 20 } } },
      { what: "spec", spec: { server: { requestTimeout: "20s" } } },
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ what: "delete and create" }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Step>(
      { what: "edit", child: "deployments", patch: '{"spec":{"replicas":3}}' },
      { what: "edit", child: "deployments", patch: templatePatch({ hostNetwork: true }) },
      {
        what: "edit",
        child: "deployments",
        patch: templatePatch({
          containers: [{ name: "server", env: [{ name: "LD_PRELOAD", value: "/tmp/evil.so" }] }],
        }),
      },
      { what: "edit", child: "deployments", patch: '{"metadata":{"labels":{"berth.dev/revision":"another"}}}' },
      { what: "edit", child: "deployments", patch: templatePatch({ containers: [SIDECAR] }) },
      {
        what: "edit",
        child: "deployments",
        patch: '{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}',
      },
      { what: "edit", child: "services", patch: '{"spec":{"selector":{"also":"this"}}}' },
      { what: "edit", child: "networkpolicies", patch: '{"spec":{"ingress":[]}}' },
      { what: "delete child", child: "deployments" },
      { what: "delete child", child: "services" },
      { what: "delete child", child: "networkpolicies" },
      { what: "delete child", child: "configmaps" },
      { what: "delete child", child: "controllerrevisions" },
      { what: "delete child", child: "poddisruptionbudgets" },
    ),
  },
);

const objects = z.object({
  items: z.array(
    z.object({
      kind: z.string(),
      metadata: z.object({
        name: z.string(),
        uid: z.string(),
        managedFields: z
          .array(z.object({ manager: z.string(), time: z.string().default(""), fieldsV1: z.unknown() }))
          .default([]),
      }),
    }),
  ),
});

/** Each addition to the same template waits longer to be undone: three take as long as a test may. */
const withFewEdits = (walk: Step[]): Step[] => {
  const isOfTemplate = (one: Step): boolean => one.what === "edit" && one.patch.includes('"template"');
  const edits = walk.filter(isOfTemplate).slice(0, 3);
  return walk.filter((one) => !isOfTemplate(one) || edits.includes(one));
};

/** Ready, hopeless with a reason, or waiting for something that it names. */
const isSettled = (seen: Seen): boolean => {
  if (isReady(seen) || isStalled(seen)) return true;
  const { status, reason = "", message = "" } = conditionOf(seen, "Ready") ?? {};
  const isNamed = status === "False" && !["Starting", "Updating", "Retiring"].includes(reason) && message !== "";
  return isNamed || /check that their claims exist/.test(message);
};

describe(`generated specs, and edits of children (BERTH_SEED=${SEED})`, () => {
  const { world, namespace } = useWorld("e2e-generated");
  const kubectl = (...args: string[]) => world().cluster.kubectl([...args, "-n", namespace]);
  const labelOf = (name: string) => `berth.dev/model-deployment=${name}`;
  const put = async (name: string, spec: Record<string, unknown>): Promise<"taken" | "refused"> => {
    try {
      await world().apply([modelDeployment(name, spec)], namespace);
      return "taken";
    } catch (error) {
      // The CRD's rules know more than its schema: what they refuse names the field.
      if (error instanceof CommandFailed && /is invalid: .*spec|BadRequest|unknown field/s.test(error.stderr))
        return "refused";
      throw error;
    }
  };
  const take = async (name: string, step: Step): Promise<string> => {
    switch (step.what) {
      case "spec":
        return await put(name, step.spec);
      case "delete and create":
        await kubectl("delete", "mdeploy", name, "--wait=false");
        await put(name, {});
        return "done";
      case "edit": {
        const { stdout } = await kubectl("get", step.child, "-l", labelOf(name), "-o", "name");
        const [first] = stdout.split("\n");
        if (!first) return "nothing to edit";
        await kubectl("patch", first, "--patch", step.patch).catch(() => undefined); // gone meanwhile, or refused
        return first;
      }
      case "delete child":
        await kubectl("delete", step.child, "-l", labelOf(name), "--wait=false");
        return "done";
    }
  };
  const settled = (name: string, after: string) =>
    waitFor(world().cluster, { namespace, name }, `settled after ${after}`, isSettled);
  /** Everything of ours, and when the operator wrote it last; Kubernetes' own controllers may write on. */
  const written = async (): Promise<string[]> => {
    const kinds = `mdeploy,${CHILDREN}`;
    const { stdout } = await kubectl("get", kinds, "-o", "json", "--show-managed-fields");
    return objects.parse(JSON.parse(stdout)).items.map(({ kind, metadata: { name, uid, managedFields } }) => {
      const ours = managedFields.filter(({ manager }) => manager.startsWith("berth"));
      return `${kind} ${name} ${uid} ${ours.map(({ manager, time }) => `${manager} ${time}`).join(", ")}`;
    });
  };

  /** Deployments in whose pods somebody else has a say. */
  const edited = async (): Promise<string[]> => {
    const { stdout } = await kubectl("get", "deployments", "-o", "json", "--show-managed-fields");
    return objects
      .parse(JSON.parse(stdout))
      .items.flatMap(({ metadata: { name, managedFields } }) =>
        managedFields
          .filter(
            ({ manager, fieldsV1 }) =>
              !manager.startsWith("berth") && JSON.stringify(fieldsV1).includes('"f:template"'),
          )
          .map(({ manager }) => `${manager} in ${name}`),
      );
  };

  it(`${OBJECTS} objects, ${STEPS} steps each: ready or told why not, healed by a good spec, and then quiet`, async () => {
    const walks = fc.sample(fc.array(step, { minLength: STEPS, maxLength: STEPS }), { seed: SEED, numRuns: OBJECTS });
    await Promise.all(
      walks.map(withFewEdits).map(async (walk, index) => {
        const name = `generated-${index}`;
        await put(name, {});
        for (const [at, one] of walk.entries()) {
          const what = `step ${at} of ${name}: ${JSON.stringify(one).slice(0, 300)}`;
          const outcome = await take(name, one);
          // Every other step is taken in the middle of what the one before has set off.
          if (at % 2 === 0) await sleep(300);
          else await settled(name, `${what} (${outcome})`);
        }
        await put(name, {});
        const healed = await waitFor(world().cluster, { namespace, name }, "ready again", isReady);
        assert.equal(statusOf(healed, "Stalled"), "absent");
      }),
    );

    // What was added soon after another addition was undone waits for its turn.
    await eventually("all additions are undone", async () => (await edited()).length === 0, edited);
    const { stdout } = await kubectl("get", "deployments,services", "-o", "json");
    for (const forbidden of FORBIDDEN) assert.ok(!stdout.includes(forbidden), `${forbidden} was undone`);
    const before = await written();
    await sleep(QUIET_SECONDS * 1000);
    assert.deepEqual(await written(), before, "nothing is written any more");
    for (const index of walks.keys()) assert.ok(isReady(await read(world().cluster, namespace, `generated-${index}`)));
  });
});
