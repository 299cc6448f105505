/** What `spec.scaling` says, with what it leaves out. Pure. */
import {
  isScaled,
  type ModelDeploymentSpec,
  maxReplicasOf,
  minReplicasOf,
  parseDuration,
} from "../../api/v1alpha1/index.ts";
import type { ScalingSettings, Target } from "./decide.ts";
import { parseSchedule, type Schedule } from "./schedule.ts";

export type Wish = Omit<ScalingSettings, "drainShare"> & { schedule: Schedule };

const IDLE = "5m";
const UTILIZATION = "70%";

/** Undefined where the number of pods does not follow the load. Throws on what the API server would not have taken. */
export const scalingSettings = (spec: Pick<ModelDeploymentSpec, "replicas" | "scaling">): Wish | undefined => {
  const { idleBeforeZero = IDLE, schedule: entries = [], target } = spec.scaling ?? {};
  const schedule = parseSchedule(entries);
  if (!isScaled(spec)) {
    if (schedule.length === 0) return undefined;
    throw new Error("scaling.schedule: needs a range of pods; set scaling.maxReplicas above minReplicas");
  }
  return {
    min: minReplicasOf(spec),
    max: maxReplicasOf(spec),
    target: targetOf(target),
    idleSeconds: parseDuration(idleBeforeZero) / 1000,
    schedule,
  };
};

const targetOf = (target: NonNullable<ModelDeploymentSpec["scaling"]>["target"]): Target => {
  if (target?.latencyP95 !== undefined) return { kind: "latencyP95", seconds: parseDuration(target.latencyP95) / 1000 };
  if (target?.concurrency !== undefined) return { kind: "concurrency", inFlight: target.concurrency };
  return { kind: "utilization", share: Number((target?.utilization ?? UTILIZATION).replace("%", "")) / 100 };
};
