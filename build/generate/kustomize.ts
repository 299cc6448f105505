/** config/: plain manifests for `kubectl apply -k config/`, rendered from the chart so that the two cannot drift. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { dump, loadAll } from "js-yaml";
import { z } from "zod";

const run = promisify(execFile);

const NAMESPACE = "berth-system";
const BANNER = "# Generated from charts/berth by `npm run generate`. Do not edit.\n";
/** Helm's own labels: nothing here is Helm's. */
const HELM_LABELS = ["helm.sh/chart", "app.kubernetes.io/managed-by"];

const Labelled = z.looseObject({ labels: z.record(z.string(), z.string()).optional() });
const Manifest = z.looseObject({
  kind: z.string(),
  metadata: Labelled,
  spec: z.looseObject({ template: z.looseObject({ metadata: Labelled }).optional() }).optional(),
});

/** Texts by path below the repository's root. `crds/` must have been copied into the chart before. */
export const generateKustomize = async (root: string, helm: string): Promise<Map<string, string>> => {
  const { stdout } = await run(
    helm,
    // The oldest Kubernetes of the chart: Helm asks no cluster here.
    [
      "template",
      "berth",
      join(root, "charts/berth"),
      "--namespace",
      NAMESPACE,
      "--kube-version",
      "1.30.0",
      "--skip-tests",
      "--set",
      "crds.keep=false",
    ],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  return new Map([
    ["config/kustomization.yaml", BANNER + kustomization],
    ["config/names.yaml", BANNER + yaml(names)],
    ["config/namespace.yaml", BANNER + yaml(namespace)],
    ["config/berth.yaml", plainManifests(stdout)],
  ]);
};

/** Helm's rendering without Helm's labels. Pure. */
export const plainManifests = (rendered: string): string => {
  const documents = loadAll(rendered).filter((document) => document !== null && document !== undefined);
  return BANNER + documents.map((document) => yaml(withoutHelmLabels(document))).join("---\n");
};

const withoutHelmLabels = (document: unknown): unknown => {
  const manifest = Manifest.parse(document);
  for (const { labels } of [manifest.metadata, manifest.spec?.template?.metadata ?? {}])
    for (const label of HELM_LABELS) delete labels?.[label];
  return manifest;
};

const yaml = (value: unknown): string => dump(value, { lineWidth: 120, noRefs: true });

const namespace = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: NAMESPACE, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
};

/** The operator is told the name of the routers' role: it keeps up with a namePrefix. */
const names = {
  nameReference: [
    {
      kind: "ClusterRole",
      group: "rbac.authorization.k8s.io",
      fieldSpecs: [{ group: "apps", kind: "Deployment", path: "spec/template/spec/containers/args" }],
    },
  ],
};

const kustomization = `# kubectl apply -k config/
# Images of your own: \`images:\` for the operator's, a patch of its --runtime-image for the inference pods'.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
configurations:
  - names.yaml
resources:
  - namespace.yaml
  - berth.yaml
`;
