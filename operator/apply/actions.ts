/** What a plan can ask for: one request to the API server each. */
import type { KubeObject, Resource } from "../kube/objects.ts";
import { covers, replacement } from "./drift.ts";

/** Owns all that Berth writes but the replicas. */
export const FIELD_MANAGER = "berth";
/** Owns the replicas of Deployments alone. */
export const SCALING_FIELD_MANAGER = "berth-scaling";

type Applied = { apiVersion: string; kind: string; metadata: { name: string; namespace: string; uid: string } };

type Patched = { metadata: { name: string; namespace: string; uid: string; resourceVersion: string }; spec: unknown };

export type Action =
  /** POST: refuses to touch an object of that name, so that nothing of somebody else is overwritten. */
  | { verb: "create"; resource: Resource<KubeObject>; object: KubeObject; manager: string }
  /** Server-side apply to the very object (by uid) that was observed. */
  | { verb: "apply"; resource: Resource<KubeObject>; object: Applied; manager: string; subresource?: "status" }
  /** JSON merge patch of the very object, as it was observed: removes what somebody else has added. */
  | { verb: "restore"; resource: Resource<KubeObject>; object: Patched; generation: number; manager: string }
  | { verb: "delete"; resource: Resource<KubeObject>; name: string; namespace: string; uid: string };

export const create = (resource: Resource<KubeObject>, object: KubeObject, manager = FIELD_MANAGER): Action => ({
  verb: "create",
  resource,
  object,
  manager,
});

/** `intended`, bound to the object that was observed. */
export const apply = (resource: Resource<KubeObject>, intended: KubeObject, observed: KubeObject): Action => {
  const { namespace = "", uid = "" } = observed.metadata;
  const object = { ...intended, metadata: { ...intended.metadata, namespace, uid } };
  return { verb: "apply", resource, object, manager: FIELD_MANAGER };
};

/** The status of the very object that was observed. */
export const applyStatus = (resource: Resource<KubeObject>, observed: KubeObject, status: object): Action => {
  const { apiVersion, kind, metadata } = observed;
  const { name, namespace = "", uid = "" } = metadata;
  const object = { apiVersion, kind, metadata: { name, namespace, uid }, status };
  return { verb: "apply", resource, object, manager: FIELD_MANAGER, subresource: "status" };
};

/** `intended` where there is nothing yet, or something else by now. */
export const ensure = <T extends KubeObject>(resource: Resource<T>, observed: T | undefined, intended: T): Action[] => {
  if (observed === undefined) return [create(resource, intended)];
  return covers(intended, observed) ? [] : [apply(resource, intended, observed)];
};

/** The observed pod template, with nothing in it but `template`. */
export const restoreTemplate = <T extends KubeObject & { spec?: { template?: unknown } }>(
  resource: Resource<T>,
  { metadata, spec }: T,
  template: unknown,
): Action => {
  const { name, namespace = "", uid = "", resourceVersion = "" } = metadata;
  const patch = { template: replacement(template, spec?.template) };
  return {
    verb: "restore",
    resource,
    object: { metadata: { name, namespace, uid, resourceVersion }, spec: patch },
    generation: metadata.generation ?? 0,
    manager: FIELD_MANAGER,
  };
};

export const remove = (resource: Resource<KubeObject>, { metadata }: KubeObject): Action => {
  const { name, namespace = "", uid = "" } = metadata;
  return { verb: "delete", resource, name, namespace, uid };
};
