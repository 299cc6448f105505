/** The CustomResourceDefinition of ModelDeployment, as an object. build/generate writes it as YAML. */
import { GROUP, KIND, MODEL_DEPLOYMENTS, modelDeploymentSchema, VERSION } from "./model-deployment.ts";
import { type JsonSchema, structural } from "./structural.ts";

const columns = [
  { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: "Phase", type: "string", jsonPath: ".status.phase" },
  { name: "Stable", type: "string", jsonPath: ".status.stable.revision" },
  { name: "Replicas", type: "string", jsonPath: ".status.pods" },
  { name: "Devices", type: "string", jsonPath: ".status.devices" },
  { name: "EP", type: "string", jsonPath: ".status.stable.executionProvider", priority: 1 },
  { name: "Model Digest", type: "string", jsonPath: ".status.stable.modelDigest", priority: 1 },
  { name: "URL", type: "string", jsonPath: ".status.url", priority: 1 },
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

export const modelDeploymentCrd = () => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: {
    name: `${MODEL_DEPLOYMENTS.plural}.${GROUP}`,
    // Flux must not replace anything that looks like a variable in here.
    annotations: { "kustomize.toolkit.fluxcd.io/substitute": "disabled" },
  },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: {
      kind: KIND,
      listKind: `${KIND}List`,
      plural: MODEL_DEPLOYMENTS.plural,
      singular: "modeldeployment",
      shortNames: ["mdeploy"],
      categories: ["berth"],
    },
    versions: [
      {
        name: VERSION,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: columns,
        schema: { openAPIV3Schema: schema() },
      },
    ],
  },
});
