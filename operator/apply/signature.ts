/** What was last applied, as a hash on the object: fields that this version no longer writes are found by it, and taken off. Pure. */
import { hash } from "node:crypto";
import { APPLIED_ANNOTATION } from "../api/v1alpha1/index.ts";
import type { KubeObject } from "../kube/objects.ts";

/** `intended` with the hash of all that it says, but for its owners, which come and go. */
export const signed = <T extends KubeObject>(intended: T): T => {
  const { ownerReferences: _, ...metadata } = intended.metadata;
  // in the order in which it was made: a plan makes the same object the same way each time, and another order costs one apply
  const digest = hash("sha256", JSON.stringify({ ...intended, metadata }), "hex");
  const annotations = { ...metadata.annotations, [APPLIED_ANNOTATION]: digest.slice(0, 16) };
  return { ...intended, metadata: { ...intended.metadata, annotations } };
};

export const signatureOf = ({ metadata }: KubeObject): string | undefined => metadata.annotations?.[APPLIED_ANNOTATION];
