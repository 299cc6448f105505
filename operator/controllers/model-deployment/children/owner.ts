/** What all children have in common: a namespace, labels, and an owner whose deletion takes them along. */
import {
  API_VERSION,
  childLabels,
  KIND,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  MODEL_DEPLOYMENT_LABEL,
  type ModelDeployment,
  revisionLabels,
} from "../../../api/v1alpha1/index.ts";
import { isOfKind, type KubeObject, type ObjectMeta } from "../../../platform/kube/objects.ts";

/** A ModelDeployment as it is stored: with a namespace and a uid. */
export type Owner = { name: string; namespace: string; uid: string };

/** Throws on an object that did not come from the API server. */
export const ownerOf = ({ metadata: { name, namespace, uid } }: ModelDeployment): Owner => {
  if (namespace === undefined || uid === undefined)
    throw new Error(`ModelDeployment ${name} has no namespace or no uid`);
  return { name, namespace, uid };
};

/** `revision` is left out for what belongs to the ModelDeployment as a whole. */
export const childMeta = (owner: Owner, name: string, revision?: string): ObjectMeta & { namespace: string } => ({
  name,
  namespace: owner.namespace,
  labels: revision === undefined ? childLabels(owner.name) : revisionLabels(owner.name, revision),
  ownerReferences: [
    {
      apiVersion: API_VERSION,
      kind: KIND,
      name: owner.name,
      uid: owner.uid,
      controller: true,
      blockOwnerDeletion: true,
    },
  ],
});

export const isOwnedBy = (owner: Owner, { metadata }: KubeObject): boolean =>
  metadata.ownerReferences?.some(({ controller, uid }) => controller === true && uid === owner.uid) ?? false;

/** Whether it belonged to a ModelDeployment of this name that was deleted: the garbage collector is about to take it. */
export const wasOwnedByNamesake = (owner: Owner, { metadata }: KubeObject): boolean =>
  metadata.ownerReferences?.some(
    (reference) =>
      reference.controller === true &&
      isOfKind(reference, { apiVersion: API_VERSION, kind: KIND }) &&
      reference.name === owner.name &&
      reference.uid !== owner.uid,
  ) ?? false;

/** Made for a ModelDeployment of this name, and nobody's now. */
export const isOrphan = ({ name }: Owner, { metadata }: KubeObject): boolean => {
  const { deletionTimestamp, labels = {}, ownerReferences = [] } = metadata;
  return (
    deletionTimestamp === undefined &&
    labels[MANAGED_BY_LABEL] === MANAGED_BY &&
    labels[MODEL_DEPLOYMENT_LABEL] === name &&
    !ownerReferences.some(({ controller }) => controller === true)
  );
};
