/** What a plan can ask for: one request to the API server each. */
import type { Deployment, KubeObject, ObjectMeta, Resource } from "../platform/kube/objects.ts";
import { correctionOf } from "./astray.ts";
import { covers, replacement } from "./drift.ts";
import { mustBeMadeAnew } from "./immutable.ts";
import { signedForApply, signedForPost } from "./signature.ts";

/** Owns all that Berth writes but the replicas. */
export const FIELD_MANAGER = "berth";
/** Owns the replicas of Deployments alone. */
export const SCALING_FIELD_MANAGER = "berth-scaling";

type Applied = { apiVersion: string; kind: string; metadata: { name: string; namespace: string; uid: string } };

type Patched = { metadata: { name: string; namespace: string; uid: string; resourceVersion: string }; spec: unknown };

type Marked = {
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    resourceVersion: string;
    labels?: ObjectMeta["labels"];
    ownerReferences?: ObjectMeta["ownerReferences"];
  };
};

export type Action =
  /** Refuses to touch an object of that name, so that nothing of somebody else is overwritten. */
  | { verb: "create"; resource: Resource<KubeObject>; object: KubeObject; manager: string }
  /**
   * Server-side apply to the very object (by uid) that was observed. `takesOver`: what this manager has posted counts as applied from
   * now on, so that what is left out goes.
   */
  | {
      verb: "apply";
      resource: Resource<KubeObject>;
      object: Applied;
      manager: string;
      subresource?: "status";
      takesOver?: boolean;
    }
  /** JSON merge patch of the very object, as it was observed: removes what somebody else has added. */
  | { verb: "restore"; resource: Resource<KubeObject>; object: Patched; generation: number; manager: string }
  /** JSON merge patch of the very object, as it was observed: takes off what an apply would leave there. */
  | { verb: "correct"; resource: Resource<KubeObject>; object: Patched; manager: string }
  /** JSON merge patch of labels and owners alone: the object is ours, or is adopted as it is. */
  | { verb: "mark"; resource: Resource<KubeObject>; object: Marked; manager: string }
  | { verb: "delete"; resource: Resource<KubeObject>; name: string; namespace: string; uid: string };

export const create = (resource: Resource<KubeObject>, object: KubeObject, manager = FIELD_MANAGER): Action => ({
  verb: "create",
  resource,
  object,
  manager,
});

/** `intended`, bound to the object that was observed. */
export const apply = (
  resource: Resource<KubeObject>,
  intended: KubeObject,
  observed: KubeObject,
  takesOver = false,
): Action => {
  const { namespace = "", uid = "" } = observed.metadata;
  const object = { ...intended, metadata: { ...intended.metadata, namespace, uid } };
  return { verb: "apply", resource, object, manager: FIELD_MANAGER, ...(takesOver && { takesOver }) };
};

/** The status of the very object that was observed. */
export const applyStatus = (resource: Resource<KubeObject>, observed: KubeObject, status: object): Action => {
  const { apiVersion, kind, metadata } = observed;
  const { name, namespace = "", uid = "" } = metadata;
  const object = { apiVersion, kind, metadata: { name, namespace, uid }, status };
  return { verb: "apply", resource, object, manager: FIELD_MANAGER, subresource: "status" };
};

/**
 * `intended` where there is nothing yet, or something else by now. What can never become it is deleted, and made anew when it is gone. What
 * is on its way out for another reason is kept right until then: its finalizers may take long, and requests go by it.
 */
export const ensure = <T extends KubeObject>(resource: Resource<T>, observed: T | undefined, intended: T): Action[] => {
  // posted, since a server-side apply that makes an object costs the API server much more
  if (observed === undefined) return [create(resource, signedForPost(intended))];
  if (mustBeMadeAnew(intended, observed)) return remove(resource, observed);
  const correction = correctionOf(intended, observed);
  if (correction !== undefined) return [correct(resource, observed, correction)];
  const { object, takesOver } = signedForApply(intended, observed);
  return covers(object, observed) ? [] : [apply(resource, object, observed, takesOver)];
};

const correct = (resource: Resource<KubeObject>, { metadata }: KubeObject, spec: object): Action => {
  const { name, namespace = "", resourceVersion = "", uid = "" } = metadata;
  const object = { metadata: { name, namespace, uid, resourceVersion }, spec };
  return { verb: "correct", resource, object, manager: FIELD_MANAGER };
};

/** The observed pod template, with nothing in it but `template`. */
export const restoreTemplate = <T extends KubeObject & { spec?: { template?: unknown; paused?: boolean } }>(
  resource: Resource<T>,
  { metadata, spec }: T,
  template: unknown,
): Action => {
  const { name, namespace = "", uid = "", resourceVersion = "" } = metadata;
  // one that is paused would make no pods of it
  const paused = spec?.paused === true ? { paused: null } : {};
  const patch = { ...paused, template: replacement(template, spec?.template) };
  return {
    verb: "restore",
    resource,
    object: { metadata: { name, namespace, uid, resourceVersion }, spec: patch },
    generation: metadata.generation ?? 0,
    manager: FIELD_MANAGER,
  };
};

/**
 * The labels and owners of `intended`, on an object that is otherwise left as it is. Bound to the version that was observed, for the
 * list of owners is written as a whole.
 */
export const mark = (resource: Resource<KubeObject>, intended: ObjectMeta, { metadata }: KubeObject): Action => {
  const { name, namespace = "", ownerReferences = [], resourceVersion = "", uid = "" } = metadata;
  const owners = intended.ownerReferences ?? [];
  const others = ownerReferences.filter((other) => !owners.some((one) => one.uid === other.uid));
  const labels = intended.labels === undefined ? {} : { labels: intended.labels };
  const object = {
    metadata: { name, namespace, uid, resourceVersion, ...labels, ownerReferences: [...others, ...owners] },
  };
  return { verb: "mark", resource, object, manager: FIELD_MANAGER };
};

/** Reads like `Service/digits`: the object that an action is about. */
export const nameOf = (action: Action): string =>
  `${action.resource.kind}/${action.verb === "delete" ? action.name : action.object.metadata.name}`;

/** Somebody else has a say in the pods: what they changed is undone, and what they added. */
export const isEdited = ({ metadata: { managedFields = [] }, spec }: Deployment): boolean =>
  spec?.paused === true ||
  managedFields.some(({ manager }) => manager !== FIELD_MANAGER && manager !== SCALING_FIELD_MANAGER);

/** Nothing where that is done, and what has yet to take its finalizers off is waited for. */
export const remove = (resource: Resource<KubeObject>, { metadata }: KubeObject): Action[] => {
  const { deletionTimestamp, name, namespace = "", uid = "" } = metadata;
  return deletionTimestamp === undefined ? [{ verb: "delete", resource, name, namespace, uid }] : [];
};
