/** Helm, and what it renders, for the chart's tests. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { loadAll } from "js-yaml";
import { z } from "zod";

const run = promisify(execFile);

export const CHART = "charts/berth";
/** The oldest Kubernetes that the chart allows. */
const KUBE_VERSION = "1.30.0";

const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()).optional(),
  securityContext: z.looseObject({
    allowPrivilegeEscalation: z.boolean().optional(),
    privileged: z.boolean().optional(),
    readOnlyRootFilesystem: z.boolean().optional(),
    capabilities: z.looseObject({ add: z.array(z.string()).optional(), drop: z.array(z.string()).optional() }),
  }),
});
export const PodSpec = z.looseObject({
  containers: z.array(Container).min(1),
  initContainers: z.array(Container).optional(),
  hostNetwork: z.boolean().optional(),
  hostPID: z.boolean().optional(),
  hostIPC: z.boolean().optional(),
  securityContext: z.looseObject({
    runAsNonRoot: z.boolean().optional(),
    runAsUser: z.number().optional(),
    seccompProfile: z.looseObject({ type: z.string() }),
  }),
  volumes: z.array(z.looseObject({ name: z.string() })).optional(),
});
export type PodSpec = z.infer<typeof PodSpec>;

export const Rule = z.strictObject({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  resourceNames: z.array(z.string()).optional(),
  verbs: z.array(z.string()),
});
const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  rules: z.array(Rule).optional(),
  spec: z.unknown().optional(),
});
export type Manifest = z.infer<typeof Manifest>;

export const helmPath = (): string => {
  const path = process.env.BERTH_HELM;
  if (path === undefined) throw new Error("BERTH_HELM must name the helm binary; `npm test` sets it");
  return path;
};

export const helm = async (...args: string[]): Promise<string> =>
  (await run(helmPath(), args, { maxBuffer: 64 * 1024 * 1024 })).stdout;

/** The chart's manifests, test hooks included, with `--set` values. */
export const render = async (...values: string[]): Promise<Manifest[]> => renderWith([], ...values);

export const renderWith = async (flags: string[], ...values: string[]): Promise<Manifest[]> => {
  const sets = values.flatMap((value) => ["--set", value]);
  const text = await helm(
    "template",
    "berth",
    CHART,
    "-n",
    "berth-system",
    "--kube-version",
    KUBE_VERSION,
    ...flags,
    ...sets,
  );
  return parseManifests(text);
};

export const parseManifests = (text: string): Manifest[] =>
  loadAll(text)
    .filter((document) => document !== null && document !== undefined)
    .map((document) => Manifest.parse(document));

export const podSpecs = (manifests: readonly Manifest[]): { name: string; spec: PodSpec }[] =>
  manifests.flatMap(({ kind, metadata, spec }) => {
    const name = `${kind} ${metadata.name}`;
    if (kind === "Pod") return [{ name, spec: PodSpec.parse(spec) }];
    if (kind !== "Deployment") return [];
    const { template } = z.looseObject({ template: z.looseObject({ spec: PodSpec }) }).parse(spec);
    return [{ name, spec: template.spec }];
  });
