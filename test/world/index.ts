import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { packageVersion } from "../../build/images/contents.ts";
import { type Cluster, ensureTools, external, openCluster, up } from "../cluster/index.ts";
import { type Families, familyChoices } from "../cluster/plan.ts";
import { type Helm, helmOf, installChart, OPERATOR_NAMESPACE, RELEASE } from "./helm.ts";
import {
  authorityConfigMap,
  MODELS_HOST,
  MODELS_NAMESPACE,
  makeCertificates,
  modelServerManifests,
  restrictedNamespace,
} from "./model-server.ts";
import { CLUSTER_PATIENCE_S } from "./patience.ts";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TIMEOUT = `--timeout=${CLUSTER_PATIENCE_S}s`;
const IMAGES = ["berth-operator", "berth-runtime", "berth-model-server"] as const;

export type World = {
  cluster: Cluster;
  helm: Helm;
  /** Makes a namespace that enforces Pod Security `restricted` and trusts the example authority. */
  namespace(name: string): Promise<void>;
  /** Applies manifests, as objects or as YAML; resolves with kubectl's own words. */
  apply(manifests: readonly object[] | string, namespace?: string): Promise<string>;
  /** What another process needs to join this world. */
  handle: Handle;
  /** Uninstalls the operator and removes what the world put into the cluster; the cluster stays. */
  leave(): Promise<void>;
};

export type Where = {
  /** Name of the dev cluster; ignored with `kubeconfig`. */
  name: string;
  nodes: number;
  /** Of the dev cluster's addresses. */
  families?: Families | undefined;
  /** Any other cluster instead. It must have the images, and two nodes with nvidia.com/gpu for the device tests. */
  kubeconfig?: string | undefined;
};

const handleSchema = z.object({
  where: z.object({
    ...{ name: z.string(), nodes: z.number(), kubeconfig: z.string().optional() },
    families: z.enum(familyChoices).optional(),
  }),
  helm: z.string(),
  authority: z.string(),
});

export type Handle = z.infer<typeof handleSchema>;

type Report = (line: string) => void;

export const version = (): Promise<string> => packageVersion(ROOT);

export const buildImages = async (report: Report): Promise<string[]> => {
  const out = join(ROOT, "out/images");
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, "build/images/main.ts"), "--out", out], {
    cwd: ROOT,
    maxBuffer: 16 << 20,
  });
  report(`images built\n${stdout.trimEnd().replace(/^/gm, " ".repeat(12))}`);
  return IMAGES.map((image) => join(out, `${image}.tar`));
};

/**
 * A cluster with everything in it. What does not depend on each other is done at once: the images are built while the
 * control plane is; both are kept for the next time.
 */
export const enterWorld = async (where: Where, report: Report): Promise<World> => {
  const images = buildImages(report);
  // Awaited below; a failure before that must not go unhandled.
  images.catch(() => undefined);
  const tools = await ensureTools(report);
  const cluster = await clusterAt(where, report);
  const archives = await images;
  if (where.kubeconfig === undefined) {
    await cluster.load(archives);
    report("images loaded on every node");
  } else {
    report(`this cluster must have these images already: ${(await imageNames()).join(", ")}`);
  }
  const authority = await populate(cluster, helmOf(tools.helm, cluster.hostKubeconfig));
  report("operator installed by Helm; example models served inside the cluster");
  return worldOf(cluster, { where, helm: tools.helm, authority });
};

/** The world that another process has entered. */
export const joinWorld = async (handle: string): Promise<World> => {
  const parsed = handleSchema.parse(JSON.parse(handle));
  const { name, kubeconfig } = parsed.where;
  const cluster = kubeconfig === undefined ? openCluster(name) : await external(kubeconfig, () => undefined);
  return worldOf(cluster, parsed);
};

const clusterAt = (where: Where, report: Report): Promise<Cluster> =>
  where.kubeconfig === undefined
    ? up({ name: where.name, nodes: where.nodes, ...(where.families && { families: where.families }) }, report)
    : external(where.kubeconfig, report);

const worldOf = (cluster: Cluster, handle: Handle): World => {
  const helm = helmOf(handle.helm, cluster.hostKubeconfig);
  const apply: World["apply"] = async (manifests, namespace) => {
    const input = typeof manifests === "string" ? manifests : JSON.stringify(list(manifests));
    const target = namespace === undefined ? [] : ["-n", namespace];
    return (await cluster.kubectl(["apply", ...target, "-f", "-"], { input })).stdout;
  };
  return {
    cluster,
    helm,
    apply,
    handle,
    namespace: async (name) => {
      await apply([restrictedNamespace(name), authorityConfigMap(name, handle.authority)]);
    },
    leave: async () => {
      await helm(["uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait", "--ignore-not-found"]);
      await cluster.kubectl(["delete", "namespace", MODELS_NAMESPACE, OPERATOR_NAMESPACE, "--ignore-not-found"]);
    },
  };
};

export const modelServerImage = async (): Promise<string> => `localhost/berth-model-server:${await version()}`;

const list = (items: readonly object[]): object => ({ apiVersion: "v1", kind: "List", items });

const imageNames = async (): Promise<string[]> => {
  const tag = await version();
  return IMAGES.map((image) => `localhost/${image}:${tag}`);
};

/** The chart and the model server, at the same time. Resolves with the authority that signed the model server's certificate. */
const populate = async (cluster: Cluster, helm: Helm): Promise<string> => {
  const certificates = await makeCertificates(MODELS_HOST);
  const serveModels = async () => {
    const image = await modelServerImage();
    const manifests = modelServerManifests(image, certificates);
    await cluster.kubectl(["apply", "-f", "-"], { input: JSON.stringify(list(manifests)) });
    // A certificate of an earlier run may still be in use: the pods read it when they start.
    await cluster.kubectl(["rollout", "restart", "-n", MODELS_NAMESPACE, "deployment/models"]);
    await cluster.kubectl(["rollout", "status", "-n", MODELS_NAMESPACE, "deployment/models", TIMEOUT]);
    await cluster.kubectl(["wait", "-n", MODELS_NAMESPACE, "pod/client", "--for=condition=Ready", TIMEOUT]);
  };
  await Promise.all([installChart(helm), serveModels()]);
  return certificates.authority;
};
