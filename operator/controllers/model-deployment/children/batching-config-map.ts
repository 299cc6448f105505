import { BATCHING_KEY, batchingName } from "../../../api/v1alpha1/index.ts";
import type { ConfigMap } from "../../../platform/kube/objects.ts";
import { childMeta, type Owner } from "./owner.ts";

/** Tells all pods of a revision, those that start later among them, that its requests share no runs any more; `found`: where, and why. */
export const batchingConfigMap = (owner: Owner, revision: string, found: string): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: childMeta(owner, batchingName(revision), revision),
  immutable: true,
  data: { [BATCHING_KEY]: found },
});
