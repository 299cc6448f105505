/**
 * What was last written, on the object itself: a hash of it, so that what this version no longer writes is found; and the names of the
 * fields that were posted, which a server-side apply removes only when they were taken over. Pure.
 */

import { hash } from "node:crypto";
import { APPLIED_ANNOTATION } from "../api/v1alpha1/index.ts";
import { isRecord } from "../platform/kube/json.ts";
import type { KubeObject } from "../platform/kube/objects.ts";
import { ATOMIC_MAPS } from "./drift.ts";

/** `intended` as it is applied, when nothing of the object was posted. */
export const signed = <T extends KubeObject>(intended: T): T => annotated(intended, digestOf(intended));

/** `intended` as it is posted. */
export const signedForPost = <T extends KubeObject>(intended: T): T =>
  annotated(intended, join(digestOf(intended), [...new Set(fieldCodes(intended))].sort()));

/**
 * `intended` as it is applied to `observed`. `takesOver`: something that was posted is left out now, or nobody knows what was posted.
 */
export const signedForApply = <T extends KubeObject>(
  intended: T,
  observed: KubeObject,
): { object: T; takesOver: boolean } => {
  const [before, posted] = partsOf(observed);
  const digest = digestOf(intended);
  // mostly nothing has changed, and then nothing is left out
  const takesOver = before !== digest && (before === undefined || leavesOut(intended, posted));
  return { object: annotated(intended, join(digest, takesOver ? [] : posted)), takesOver };
};

const leavesOut = (intended: KubeObject, posted: readonly string[]): boolean => {
  if (posted.length === 0) return false;
  const codes = new Set(fieldCodes(intended));
  return posted.some((code) => !codes.has(code));
};

/** The hash of what was last written. */
export const signatureOf = (object: KubeObject): string | undefined => partsOf(object)[0];

/** Of all that it says but its owners, which come and go. */
const digestOf = (intended: KubeObject): string =>
  // in the order in which it was made: a plan makes the same object the same way each time, and another order costs one apply
  hash("sha256", JSON.stringify(withoutOwners(intended)), "hex").slice(0, 16);

const withoutOwners = (object: KubeObject): KubeObject => {
  const { ownerReferences: _, ...metadata } = object.metadata;
  return { ...object, metadata };
};

const annotated = <T extends KubeObject>(intended: T, value: string): T => {
  const annotations = { ...intended.metadata.annotations, [APPLIED_ANNOTATION]: value };
  return { ...intended, metadata: { ...intended.metadata, annotations } };
};

/** Like `3f2a…` or `3f2a….Zb1q9_0w`: the hash, and four characters for each field that was posted. */
const join = (digest: string, codes: readonly string[]): string =>
  codes.length === 0 ? digest : `${digest}.${codes.join("")}`;

const partsOf = ({ metadata }: KubeObject): [digest: string | undefined, posted: string[]] => {
  const [digest, codes = ""] = (metadata.annotations?.[APPLIED_ANNOTATION] ?? "").split(".");
  return [digest === "" ? undefined : digest, codes.match(/.{4}/g) ?? []];
};

/** 24 bits for each field: that two of an object's some thirty are the same is a chance of 1 in 40,000. */
const fieldCodes = (object: KubeObject): string[] =>
  [...fieldPaths(withoutOwners(object), "", "")].map((path) => hash("sha256", path, "base64url").slice(0, 4));

/** What names an item of a list that server-side apply merges: one with another value is another item. */
const ITEM_KEYS = ["name", "port", "containerPort", "protocol", "mountPath", "key", "uid"];

/** The paths of all fields, without their values. */
function* fieldPaths(value: unknown, field: string, path: string): Generator<string> {
  if (isRecord(value) && !ATOMIC_MAPS.has(field)) {
    for (const [key, inner] of Object.entries(value))
      if (inner !== undefined) yield* fieldPaths(inner, key, `${path}/${key}`);
  } else if (Array.isArray(value)) {
    for (const item of value) {
      const name = isRecord(item)
        ? ITEM_KEYS.filter((key) => Object.hasOwn(item, key)).map((key) => [key, item[key]])
        : [];
      yield* fieldPaths(item, "", `${path}/${JSON.stringify(name.length === 0 ? item : name)}`);
    }
  }
  yield path;
}
