/** Whose pod a pod is. Labels alone prove nothing: whoever may create pods chooses them. Pure. */
import { isOfKind, type Pod } from "./objects.ts";
import { REPLICA_SETS } from "./resources.ts";

/** The Deployment controller puts it on a ReplicaSet and its pods, and names the ReplicaSet by it. */
const HASH_LABEL = "pod-template-hash";

/**
 * Whether a ReplicaSet of this Deployment controls the pod. A pod that only claims so does not last: of a ReplicaSet that does not
 * exist it is garbage, and one that does exist adopts it and deletes what it has too many of.
 */
export const isPodOf = ({ metadata: { labels, ownerReferences } }: Pod, deployment: string): boolean => {
  const hash = labels?.[HASH_LABEL];
  const controller = ownerReferences?.find((owner) => owner.controller === true);
  return (
    hash !== undefined &&
    hash !== "" &&
    controller !== undefined &&
    isOfKind(controller, REPLICA_SETS) &&
    controller.name === `${deployment}-${hash}`
  );
};
