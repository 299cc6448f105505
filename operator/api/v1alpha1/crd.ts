/** The CustomResourceDefinitions, as objects. build/generate writes them as YAML. */
import { GROUP, KIND, MODEL_DEPLOYMENTS, modelDeploymentSchema, VERSION } from "./model-deployment.ts";
import { MODEL_ROLLOUTS, modelRolloutSchema, ROLLOUT_KIND } from "./model-rollout.ts";
import { type JsonSchema, structural } from "./structural.ts";

const columns = [
  { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: "Phase", type: "string", jsonPath: ".status.phase" },
  { name: "Stable", type: "string", jsonPath: ".status.stable.revision" },
  // the canary's share of the requests, in percent
  { name: "Weight", type: "integer", jsonPath: '.status.traffic.routes[?(@.role=="canary")].weight' },
  { name: "Replicas", type: "string", jsonPath: ".status.pods" },
  { name: "Devices", type: "string", jsonPath: ".status.devices" },
  { name: "EP", type: "string", jsonPath: ".status.stable.executionProvider", priority: 1 },
  { name: "Model Digest", type: "string", jsonPath: ".status.stable.modelDigest", priority: 1 },
  { name: "URL", type: "string", jsonPath: ".status.url" },
  { name: "Message", type: "string", jsonPath: ".status.message" },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
];

/**
 * The default of `status` keeps generic tools (kstatus: Flux, `kubectl wait`) from taking an object
 * that the operator has not seen yet for a current one.
 */
const schema = (): JsonSchema => {
  const whole = structural(modelDeploymentSchema);
  const { spec, status, ...builtIn } = whole.properties ?? {};
  if (spec === undefined || status === undefined) throw new Error("the schema has neither spec nor status");
  return {
    ...whole,
    required: ["spec"],
    properties: {
      ...Object.fromEntries(Object.entries(builtIn).map(([name, { type }]) => [name, { type: type ?? "object" }])),
      spec,
      status: { ...status, default: { observedGeneration: -1 } },
    },
  };
};

type Kind = {
  kind: string;
  plural: string;
  shortName: string;
  columns: readonly object[];
  schema: JsonSchema;
  /** What an HPA reads and writes. */
  scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath: string };
};

const crd = ({ columns, kind, plural, scale, schema, shortName }: Kind) => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: {
    name: `${plural}.${GROUP}`,
    // Flux must not replace anything that looks like a variable in here.
    annotations: { "kustomize.toolkit.fluxcd.io/substitute": "disabled" },
  },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: {
      kind,
      listKind: `${kind}List`,
      plural,
      singular: kind.toLowerCase(),
      shortNames: [shortName],
      categories: ["berth"],
    },
    versions: [
      {
        name: VERSION,
        served: true,
        storage: true,
        subresources: scale === undefined ? { status: {} } : { status: {}, scale },
        additionalPrinterColumns: columns,
        schema: { openAPIV3Schema: schema },
      },
    ],
  },
});

export const modelDeploymentCrd = () =>
  crd({
    ...{ kind: KIND, plural: MODEL_DEPLOYMENTS.plural, shortName: "mdeploy", columns, schema: schema() },
    scale: {
      specReplicasPath: ".spec.replicas",
      statusReplicasPath: ".status.scale.replicas",
      labelSelectorPath: ".status.scale.selector",
    },
  });

const rolloutColumns = [
  { name: "Model", type: "string", jsonPath: ".status.model" },
  { name: "From", type: "string", jsonPath: ".status.from" },
  { name: "To", type: "string", jsonPath: ".status.to" },
  { name: "Step", type: "string", jsonPath: ".status.step" },
  { name: "Weight", type: "string", jsonPath: ".status.weight" },
  { name: "State", type: "string", jsonPath: ".status.state" },
  { name: "Evidence", type: "string", jsonPath: ".status.evidence" },
  { name: "Verdict", type: "string", jsonPath: ".status.verdict" },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
];

export const modelRolloutCrd = () => {
  const whole = structural(modelRolloutSchema);
  const { status, ...builtIn } = whole.properties ?? {};
  if (status === undefined) throw new Error("the schema has no status");
  const plain = Object.entries(builtIn).map(([name, { type }]) => [name, { type: type ?? "object" }] as const);
  const { required: _, ...rest } = whole;
  const schema = { ...rest, properties: { ...Object.fromEntries(plain), status } };
  return crd({
    ...{ kind: ROLLOUT_KIND, plural: MODEL_ROLLOUTS.plural, shortName: "mrollout", columns: rolloutColumns, schema },
  });
};
