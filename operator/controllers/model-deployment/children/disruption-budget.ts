import { revisionLabels } from "../../../api/v1alpha1/index.ts";
import type { PodDisruptionBudget } from "../../../platform/kube/objects.ts";
import { childMeta, type Owner } from "./owner.ts";

/** Drains take one pod of a revision at a time; a pod that is not ready serves nobody, and is never in a drain's way. */
export const disruptionBudget = (owner: Owner, revision: string): PodDisruptionBudget => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: childMeta(owner, revision, revision),
  spec: {
    maxUnavailable: 1,
    unhealthyPodEvictionPolicy: "AlwaysAllow",
    selector: { matchLabels: revisionLabels(owner.name, revision) },
  },
});
