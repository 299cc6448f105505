/** What was last applied, as a hash on the object: fields that this version no longer writes are found by it, and taken off. Pure. */
import { createHash } from "node:crypto";
import { APPLIED_ANNOTATION } from "../api/v1alpha1/index.ts";
import type { KubeObject } from "../kube/objects.ts";

/** `intended` with the hash of all that it says, but for its owners, which come and go. */
export const signed = <T extends KubeObject>(intended: T): T => {
  const { ownerReferences: _, ...metadata } = intended.metadata;
  const hash = createHash("sha256").update(JSON.stringify({ ...intended, metadata }, inKeyOrder));
  const annotations = { ...metadata.annotations, [APPLIED_ANNOTATION]: hash.digest("hex").slice(0, 16) };
  return { ...intended, metadata: { ...intended.metadata, annotations } };
};

export const signatureOf = ({ metadata }: KubeObject): string | undefined => metadata.annotations?.[APPLIED_ANNOTATION];

const inKeyOrder = (_key: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
    : value;
