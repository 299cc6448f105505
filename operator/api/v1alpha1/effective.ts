/** What fields mean when the user left them out. Kept out of the CRD, so that the user's object stays as written. */
import type { ModelDeploymentSpec } from "./spec.ts";

export const DEFAULT_REQUEST_TIMEOUT = "30s";
/** `spec.traffic.queue.maxWait`. */
export const DEFAULT_MAX_WAIT = "60s";
/** `spec.server.batching`. */
export const DEFAULT_BATCHING = { maxBatchSize: 32, maxDelay: "0s" } as const;
export const DEFAULT_REQUESTS = { cpu: "100m", memory: "256Mi" } as const;

const VENDOR_RESOURCES: Record<string, string> = { nvidia: "nvidia.com/gpu", amd: "amd.com/gpu" };

export type Devices = { resource: string; count: number };

/** The extended resource and how many of it each pod asks for; undefined without an accelerator, and with claims. */
export const devicesOf = ({ accelerator }: Pick<ModelDeploymentSpec, "accelerator">): Devices | undefined => {
  if (accelerator === undefined || accelerator.claims !== undefined) return undefined;
  const { count = 1, mig, resourceName, vendor = "" } = accelerator;
  const resource = resourceName ?? (mig === undefined ? VENDOR_RESOURCES[vendor] : migResource(mig.profile));
  return resource === undefined ? undefined : { resource, count };
};

/** As NVIDIA's device plugin names them: `1g.10gb+me` is `nvidia.com/mig-1g.10gb.me`. */
const migResource = (profile: string): string => `nvidia.com/mig-${profile.replaceAll("+", ".")}`;

/** How the node must share its devices; undefined where something else than the vendor's resource says what a device is. */
export const sharingOf = ({
  accelerator,
}: Pick<ModelDeploymentSpec, "accelerator">): "exclusive" | "timeSlicing" | "mps" | undefined => {
  const { claims, resourceName, sharing = "exclusive", vendor } = accelerator ?? {};
  const isVendors = vendor === "nvidia" && resourceName === undefined && claims === undefined;
  return isVendors && sharing !== "mig" ? sharing : undefined;
};

/** The execution provider that the pods are started with: `auto` is what the accelerator implies. */
export const executionProviderOf = ({
  accelerator,
  server,
}: Pick<ModelDeploymentSpec, "accelerator" | "server">): "cpu" | "cuda" | "tensorrt" => {
  const asked = server?.executionProvider ?? "auto";
  if (asked !== "auto") return asked;
  return accelerator?.vendor === "nvidia" ? "cuda" : "cpu";
};

/** How long a revision may take to get its pods ready, as people write it. */
export const progressDeadlineOf = ({ rollout }: Pick<ModelDeploymentSpec, "rollout">): string =>
  rollout?.progressDeadline ?? "10m";

type Scaled = Pick<ModelDeploymentSpec, "scaling">;

/** Somebody else says how many pods there are: an HPA, KEDA or a person. */
export const isExternal = ({ scaling }: Scaled): boolean => scaling?.mode === "external";

/** Where Berth itself says how many: the least pods that serve, and all of them where they follow no load. */
export const minReplicasOf = ({ scaling }: Scaled): number => scaling?.minReplicas ?? 1;

export const maxReplicasOf = (spec: Scaled): number => spec.scaling?.maxReplicas ?? Math.max(1, minReplicasOf(spec));

/** The number of pods follows the load, or a schedule. */
export const isScaled = (spec: Scaled): boolean => !isExternal(spec) && maxReplicasOf(spec) > minReplicasOf(spec);

/** Whether a new revision takes over step by step. */
export const isRolledOut = ({ rollout }: Pick<ModelDeploymentSpec, "rollout">): boolean =>
  rollout?.strategy !== undefined && rollout.strategy !== "immediate";

/** Whether requests are to go through the router. */
export const isRoutedBySpec = (spec: Pick<ModelDeploymentSpec, "rollout" | "scaling" | "traffic">): boolean =>
  spec.traffic?.path === "router" || isRolledOut(spec) || isScaled(spec);

export type Toleration = {
  operator: "Exists" | "Equal";
  key?: string;
  value?: string;
  effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  tolerationSeconds?: number;
};

export const tolerationsOf = ({ scheduling }: Pick<ModelDeploymentSpec, "scheduling">): Toleration[] =>
  (scheduling?.tolerations ?? []).map(({ operator = "Equal", key, value, effect, tolerationSeconds }) => ({
    operator,
    ...(key === undefined ? {} : { key }),
    // The API server stores an empty value as none.
    ...(value ? { value } : {}),
    ...(effect === undefined ? {} : { effect }),
    ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
  }));

export type Spread = { topologyKey: string; maxSkew: number; whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway" };

export const topologySpreadOf = ({ scheduling }: Pick<ModelDeploymentSpec, "scheduling">): Spread[] =>
  (scheduling?.topologySpread ?? []).map(({ maxSkew = 1, topologyKey, whenUnsatisfiable }) => ({
    topologyKey,
    maxSkew,
    whenUnsatisfiable,
  }));
