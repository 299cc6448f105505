import { QUEUE_LABEL, revisionLabels } from "../../../api/v1alpha1/index.ts";
import type { Deployment } from "../../../platform/kube/objects.ts";
import type { Revision } from "../revision.ts";
import { childMeta, type Owner } from "./owner.ts";

/** A pod must stay ready for so long (seconds) before it counts as capacity. */
const MIN_READY_SECONDS = 1;

/**
 * The Deployment of a revision, without `replicas`: those belong to another field manager. It has one
 * template for its whole life, so that it never rolls anything and keeps no old ReplicaSets.
 */
export const deployment = (owner: Owner, revision: Revision): Deployment => {
  const matchLabels = revisionLabels(owner.name, revision.name);
  const { annotations, labels: own } = revision.template.metadata ?? {};
  // Kueue looks for its queue on the Deployment as well.
  const queue = own?.[QUEUE_LABEL];
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      ...childMeta(owner, revision.name, revision.name),
      labels: { ...(queue === undefined ? {} : { [QUEUE_LABEL]: queue }), ...matchLabels },
    },
    spec: {
      minReadySeconds: MIN_READY_SECONDS,
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 0,
      selector: { matchLabels },
      template: {
        ...revision.template,
        metadata: { labels: { ...own, ...matchLabels }, ...(annotations === undefined ? {} : { annotations }) },
      },
    },
  };
};

/** Only the replicas, for the manager that owns them. `uid`: never make a Deployment that is gone. */
export const deploymentReplicas = (
  { metadata: { name, namespace = "", uid = "" } }: Deployment,
  replicas: number,
): {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; uid: string };
  spec: { replicas: number };
} => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace, uid },
  spec: { replicas },
});
