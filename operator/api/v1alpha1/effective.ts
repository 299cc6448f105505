/** What fields mean when the user left them out. Kept out of the CRD, so that the user's object stays as written. */
import type { ModelDeploymentSpec } from "./spec.ts";

export const DEFAULT_REQUEST_TIMEOUT = "30s";
export const DEFAULT_REQUESTS = { cpu: "100m", memory: "256Mi" } as const;

const VENDOR_RESOURCES: Record<string, string> = { nvidia: "nvidia.com/gpu", amd: "amd.com/gpu" };

export type Devices = { resource: string; count: number };

/** The extended resource and how many of it each pod asks for; undefined without an accelerator. */
export const devicesOf = ({ accelerator }: Pick<ModelDeploymentSpec, "accelerator">): Devices | undefined => {
  const resource = accelerator?.resourceName ?? VENDOR_RESOURCES[accelerator?.vendor ?? ""];
  return accelerator === undefined || resource === undefined ? undefined : { resource, count: accelerator.count ?? 1 };
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

export const minReplicasOf = ({ scaling }: Pick<ModelDeploymentSpec, "scaling">): number => scaling?.minReplicas ?? 1;
