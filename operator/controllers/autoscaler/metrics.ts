import { Gauge, type Registry } from "prom-client";

export type ScalingMetrics = ReturnType<typeof createScalingMetrics>;

/** What the autoscaler has decided, for Prometheus. */
export const createScalingMetrics = (registry: Registry) => {
  const registers = [registry];
  return {
    /** By ModelDeployment, the reason that is shown: a gauge forgets only what it is named in full. */
    shown: new Map<string, string>(),
    wanted: new Gauge({
      name: "berth_scaling_wanted_replicas",
      help: "Pods that the load of a ModelDeployment asks for, or its bounds.",
      labelNames: ["namespace", "name"] as const,
      registers,
    }),
    replicas: new Gauge({
      name: "berth_scaling_replicas",
      help: "Pods that a ModelDeployment is to have: those wanted, within maxReplicas and what the nodes have room for.",
      labelNames: ["namespace", "name"] as const,
      registers,
    }),
    reason: new Gauge({
      name: "berth_scaling_reason",
      help: "1 for what decided the last number of pods (status.scale.why).",
      labelNames: ["namespace", "name", "why"] as const,
      registers,
    }),
  };
};

/** Shows a decision of scaling; undefined: the ModelDeployment has none any more. */
export const showScale = (
  scaling: ScalingMetrics,
  { name, namespace }: { name: string; namespace: string },
  scale: { wanted: number; why: string } | undefined,
  uncapped: number,
): void => {
  const labels = { namespace, name };
  const key = `${namespace}/${name}`;
  const before = scaling.shown.get(key);
  if (before !== undefined && before !== scale?.why) scaling.reason.remove({ ...labels, why: before });
  if (scale === undefined) {
    scaling.wanted.remove(labels);
    scaling.replicas.remove(labels);
    scaling.shown.delete(key);
    return;
  }
  scaling.wanted.set(labels, uncapped);
  scaling.replicas.set(labels, scale.wanted);
  scaling.shown.set(key, scale.why);
  scaling.reason.set({ ...labels, why: scale.why }, 1);
};
