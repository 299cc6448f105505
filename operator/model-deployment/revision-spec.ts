import type { ModelDeploymentSpec } from "../api/v1alpha1/index.ts";

/** The part of the spec that a running pod depends on. Scaling, traffic and rollout are not in it: they never restart a pod. */
export type RevisionSpec = Omit<ModelDeploymentSpec, "scaling" | "traffic" | "rollout">;

export const revisionSpecOf = ({
  replicas: _,
  rollout: __,
  scaling: ___,
  traffic: ____,
  ...spec
}: ModelDeploymentSpec): RevisionSpec => spec;
