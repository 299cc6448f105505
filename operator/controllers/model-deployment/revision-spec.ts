import type { ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import { byIdentity } from "../../platform/cache/by-identity.ts";

/** The part of the spec that a running pod depends on. Scaling, traffic, rollout and the Service are not in it: they never restart a pod. */
export type RevisionSpec = Omit<ModelDeploymentSpec, "replicas" | "scaling" | "service" | "traffic" | "rollout">;

export const revisionSpecOf: (spec: ModelDeploymentSpec) => RevisionSpec = byIdentity((whole) => {
  const { replicas: _, rollout: __, scaling: ___, service: ____, traffic: _____, ...spec } = whole;
  // its own fields are frozen, where `whole` is
  return Object.isFrozen(whole) ? Object.freeze(spec) : spec;
});
