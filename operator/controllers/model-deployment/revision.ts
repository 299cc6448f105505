/**
 * Revisions: which part of the spec defines one, when two are the same, and how one is read back from
 * its ControllerRevision. Pure.
 */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { PROMOTED_ANNOTATION, REJECTED_ANNOTATION, revisionName, specSchema } from "../../api/v1alpha1/index.ts";
import { byIdentity } from "../../platform/cache/by-identity.ts";
import { deepFreeze } from "../../platform/cache/deep-freeze.ts";
import type { ControllerRevision, ObjectMeta, PodTemplate } from "../../platform/kube/objects.ts";
import { canonical } from "./canonical.ts";
import type { RevisionSpec } from "./revision-spec.ts";

export { canonical, inKeyOrder, sortedJson } from "./canonical.ts";
export { type RevisionSpec, revisionSpecOf } from "./revision-spec.ts";

export type Revision = {
  name: string;
  /** As the user wrote it. Compared in canonical form only, so that new defaults make no new revision. */
  spec: RevisionSpec;
  /** Another version of the operator allowed what this one does not: `spec` is what is left of it, and equal to no other. */
  isForeign?: true;
  /** It has a Deployment, and no ControllerRevision that can be read: `template` is that of the Deployment. */
  isUnrecorded?: true;
  /** Rendered once, when the revision was made; never rendered again. */
  template: PodTemplate;
  /** Grows by one with each revision of the ModelDeployment. */
  number: number;
  /** The number of its latest promotion; undefined if it never served. */
  promoted?: number;
  /** By which analysis it was rejected, and why; undefined if it was not, or was tried again since. */
  rejected?: { analysis: string; message: string };
};

/** They have the same pods. One that another version stored may have a value that this one renders no pod from: it is like no other. */
export const isSameSpec = (
  one: Pick<Revision, "spec" | "isForeign">,
  other: Pick<Revision, "spec" | "isForeign">,
): boolean => {
  if (one.isForeign === true || other.isForeign === true) return false;
  try {
    const wanted = canonical(other.spec);
    // as a rule nothing but the key order differs, and a rendered pod costs ten times as much
    return isDeepStrictEqual(one.spec, other.spec) || canonical(one.spec) === wanted;
  } catch {
    return false;
  }
};

/** A name that no other revision has: the hash only names, so a collision is told apart by a count. */
export const newRevisionName = (modelDeployment: string, spec: RevisionSpec, taken: ReadonlySet<string>): string => {
  for (let collisions = 0; ; collisions += 1) {
    const name = nameAfter(collisions, modelDeployment, spec);
    if (!taken.has(name)) return name;
  }
};

const nameAfter = (collisions: number, modelDeployment: string, spec: RevisionSpec): string => {
  const text = collisions === 0 ? canonical(spec) : `${canonical(spec)}#${collisions}`;
  return revisionName(modelDeployment, createHash("sha256").update(text).digest("hex").slice(0, 8));
};

/** A spec is rendered anew only where the operator's settings were wrong. */
const MOST_RENDERINGS = 10;

/** Whether a revision of this spec may have this name. */
export const isNameOf = (name: string, modelDeployment: string, spec: RevisionSpec): boolean => {
  try {
    return Array.from({ length: MOST_RENDERINGS }, (_, count) => nameAfter(count, modelDeployment, spec)).includes(
      name,
    );
  } catch {
    // no pod is rendered from it
    return false;
  }
};

const revisionSchema = specSchema.omit({ scaling: true, service: true });
const dataSchema = z.object({
  spec: z.looseObject({ model: z.looseObject({ uri: z.string() }) }),
  template: z.custom<PodTemplate>((value) => templateSchema.safeParse(value).success),
});
/** Without a container there is no pod. */
const templateSchema = z.object({
  metadata: z.looseObject({}).optional(),
  spec: z.looseObject({ containers: z.array(z.looseObject({ name: z.string() })).min(1) }),
});

const read = ({ metadata, revision, data }: ControllerRevision): Revision | undefined => {
  const parsed = dataSchema.safeParse(data);
  if (!parsed.success) return undefined;
  return {
    name: metadata.name,
    ...readSpec(parsed.data.spec),
    template: parsed.data.template,
    number: isCount(revision) ? revision : 0,
    ...marksOn(metadata),
  };
};

/** No life has as many revisions. One more than a larger number may be the same number, or none that the API server takes. */
const MOST_REVISIONS = 1_000_000_000;

/** Anybody may have written it. */
const isCount = (number: number): boolean => Number.isInteger(number) && number >= 0 && number <= MOST_REVISIONS;

/** What is written on a ControllerRevision, whether it can be read or not. */
export const marksOn = ({ annotations }: ObjectMeta): Pick<Revision, "promoted" | "rejected"> => {
  const promoted = Number(annotations?.[PROMOTED_ANNOTATION]);
  return {
    ...(isCount(promoted) && promoted > 0 ? { promoted } : {}),
    ...rejectionMark(annotations?.[REJECTED_ANNOTATION]),
  };
};

/** The revision that a ControllerRevision holds; undefined for one that we did not write. */
export const parseRevision: (from: ControllerRevision) => Revision | undefined = byIdentity((from) => {
  const revision = read(from);
  // every pass over the same object gets the same revision
  return revision === undefined || !Object.isFrozen(from) ? revision : deepFreeze(revision);
});

const rejectionSchema = z.object({ analysis: z.string(), message: z.string() });

/** Anybody may have written there: what is not ours says nothing. */
const rejectionMark = (mark: string | undefined): Pick<Revision, "rejected"> => {
  if (mark === undefined) return {};
  try {
    const { data } = rejectionSchema.safeParse(JSON.parse(mark));
    return data === undefined ? {} : { rejected: data };
  } catch {
    return {};
  }
};

/**
 * What serves goes on serving after an upgrade or a downgrade, so a stored spec is never refused. Fields that this version does
 * not know are left out, which is what its API server does with the ModelDeployment itself.
 */
const readSpec = (stored: z.output<typeof dataSchema>["spec"]): Pick<Revision, "spec" | "isForeign"> => {
  const whole = revisionSchema.safeParse(stored);
  if (whole.success) return { spec: whole.data };
  const refused = new Set(whole.error.issues.map(({ path }) => path[0]));
  const rest = Object.fromEntries(Object.entries(stored).filter(([field]) => !refused.has(field)));
  const part = revisionSchema.safeParse({ ...rest, ...(refused.has("model") ? {} : { model: stored.model }) });
  return { spec: part.data ?? { model: { uri: stored.model.uri } }, isForeign: true };
};
