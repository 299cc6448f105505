import type { ModelDeploymentSpec } from "../api/v1alpha1/index.ts";

/** The part of the spec that a running pod depends on. Scaling, traffic, rollout and the Service are not in it: they never restart a pod. */
export type RevisionSpec = Omit<ModelDeploymentSpec, "replicas" | "scaling" | "service" | "traffic" | "rollout">;

export const revisionSpecOf = ({
  replicas: _,
  rollout: __,
  scaling: ___,
  service: ____,
  traffic: _____,
  ...spec
}: ModelDeploymentSpec): RevisionSpec => spec;
