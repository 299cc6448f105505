/**
 * The Kubernetes objects as they come over the wire: client-node's types with its `Date`s
 * as the strings that JSON really holds. Everything else in the operator takes its types from
 * here, so that client-node stays behind this folder's door.
 */
import type {
  EventsV1Event,
  ResourceV1ResourceClaim,
  V1ConfigMap,
  V1ControllerRevision,
  V1Deployment,
  V1DeviceClass,
  V1Lease,
  V1NetworkPolicy,
  V1Node,
  V1Pod,
  V1PodDisruptionBudget,
  V1PodTemplateSpec,
  V1PriorityClass,
  V1ResourceSlice,
  V1RoleBinding,
  V1Service,
  V1ServiceAccount,
} from "@kubernetes/client-node";

/** A client-node type as JSON: each `Date` is an RFC 3339 string, and words that JavaScript reserves lose their underscore (`_from`). */
export type Wire<T> = T extends Date
  ? string
  : T extends (infer Item)[]
    ? Wire<Item>[]
    : T extends object
      ? { [Key in keyof T as Key extends `_${infer Word}` ? Word : Key]: Wire<T[Key]> }
      : T;

export type OwnerReference = {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
};

export type ObjectMeta = {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  /** In a cache only of those who own something in a pod template, and only their names. */
  managedFields?: {
    apiVersion?: string;
    manager?: string;
    operation?: string;
    subresource?: string;
    fieldsType?: string;
    fieldsV1?: unknown;
  }[];
};

/** Any object: what the client, the caches and the queue need to know of one. */
export type KubeObject = { apiVersion: string; kind: string; metadata: ObjectMeta };

type Concrete<T> = Omit<Wire<T>, "apiVersion" | "kind" | "metadata"> & KubeObject;

export type Pod = Concrete<V1Pod>;
export type PodTemplate = Wire<V1PodTemplateSpec>;
export type Deployment = Concrete<V1Deployment>;
export type Service = Concrete<V1Service>;
export type ConfigMap = Concrete<V1ConfigMap>;
export type PodDisruptionBudget = Concrete<V1PodDisruptionBudget>;
export type NetworkPolicy = Concrete<V1NetworkPolicy>;
export type ServiceAccount = Concrete<V1ServiceAccount>;
export type RoleBinding = Concrete<V1RoleBinding>;
export type Node = Concrete<V1Node>;
export type PriorityClass = Concrete<V1PriorityClass>;
/** Dynamic resource allocation, Kubernetes 1.34. */
export type DeviceClass = Concrete<V1DeviceClass>;
export type ResourceSlice = Concrete<V1ResourceSlice>;
export type ResourceClaim = Concrete<ResourceV1ResourceClaim>;
export type Lease = Concrete<V1Lease>;
/** events.k8s.io/v1, not the older core/v1 of the same storage. */
export type Event = Concrete<EventsV1Event>;
/** `data` is free-form in the API; each user of a ControllerRevision parses its own. */
export type ControllerRevision = Omit<Concrete<V1ControllerRevision>, "data"> & { data?: unknown };

export type ObjectKey = { namespace: string; name: string };

/** `namespace/name`, as people write it: what an object of its kind is known by. */
export const fullNameOf = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`;

/** What the client needs to address a kind. `T` only carries the object's type. */
export type Resource<T extends KubeObject> = {
  apiVersion: string;
  kind: string;
  plural: string;
  namespaced: boolean;
  readonly object?: T;
};

/** Whether a reference points to this kind, in whichever version: an owner's version is the one that its owner was written by. */
export const isOfKind = (
  reference: { apiVersion: string; kind: string },
  { apiVersion, kind }: { apiVersion: string; kind: string },
): boolean => reference.kind === kind && groupOf(reference.apiVersion) === groupOf(apiVersion);

/** The core group has no name: `v1`. */
const groupOf = (apiVersion: string): string => apiVersion.slice(0, Math.max(0, apiVersion.indexOf("/")));
