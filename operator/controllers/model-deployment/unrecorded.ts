/**
 * Revisions that have a Deployment and no ControllerRevision that can be read: somebody has deleted it, or a restore has brought back
 * half. Each keeps its role, its pods and its share. It is stored again, as it runs, where the spec is its own; where nothing says any more
 * what it was made from, it serves on without. Pure.
 */
import { MANAGED_BY_LABEL, type Mark, MODEL_DEPLOYMENT_LABEL, REVISION_LABEL } from "../../api/v1alpha1/index.ts";
import { covers } from "../../apply/drift.ts";
import type { ControllerRevision, Deployment, PodTemplate } from "../../platform/kube/objects.ts";
import type { Owner } from "./children/owner.ts";
import { podTemplate, type RenderSettings } from "./children/pod-template.ts";
import { specIn } from "./children/read-template.ts";
import { named } from "./findings.ts";
import type { Observed } from "./observed.ts";
import { isNameOf, marksOn, type Revision } from "./revision.ts";
import type { Roles } from "./revision-roles.ts";
import type { RevisionSpec } from "./revision-spec.ts";

/** @param spec the current one: its revision is known by its name */
export const unrecordedIn = (
  deployments: readonly Deployment[],
  controllerRevisions: ControllerRevision[],
  recorded: readonly Revision[],
  owner: Owner,
  spec: RevisionSpec,
): Revision[] => {
  const known = new Set(recorded.map(({ name }) => name));
  return deployments.flatMap(({ metadata: { name }, spec: { selector, template } = {} }) => {
    // its own labels anybody may change, a selector nobody
    if (known.has(name) || selector?.matchLabels?.[REVISION_LABEL] !== name || template?.spec === undefined) return [];
    const own = isNameOf(name, owner.name, spec) ? { spec } : { spec: specIn(template), isForeign: true as const };
    const record = named(controllerRevisions, name);
    const marks = record === undefined ? {} : marksOn(record.metadata);
    return [{ name, ...marks, ...own, template: renderedIn(template), number: 0, isUnrecorded: true as const }];
  });
};

/** As it was rendered: the Deployment's own labels come with it each time, and older API servers write `creationTimestamp: null`. */
const renderedIn = ({ metadata: { annotations, labels = {} } = {}, spec }: PodTemplate): PodTemplate => {
  const users = Object.entries(labels).filter(([label]) => !OWN_LABELS.has(label));
  const metadata = {
    ...(users.length === 0 ? {} : { labels: Object.fromEntries(users) }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  return { ...(Object.keys(metadata).length === 0 ? {} : { metadata }), ...(spec === undefined ? {} : { spec }) };
};

const OWN_LABELS: ReadonlySet<string> = new Set([MANAGED_BY_LABEL, MODEL_DEPLOYMENT_LABEL, REVISION_LABEL]);

/** What this operator renders for it, where that is what runs; else what runs. */
export const isRenderedSo = (owner: Owner, { name, spec, template }: Revision, settings: RenderSettings): boolean =>
  covers(podTemplate(owner.name, name, spec, settings), template);

/** Those that can be stored again, as they are to be stored. One whose record cannot be read keeps that: another version may have written it. */
export const restorableIn = (
  { controllerRevisions, owner, revisions }: Observed,
  stable: Revision | undefined,
  settings: RenderSettings,
): Revision[] => {
  const latest = Math.max(0, ...revisions.map(({ number }) => number));
  const promotions = Math.max(0, ...revisions.map(({ promoted }) => promoted ?? 0));
  return revisions
    .filter((one) => one.isUnrecorded && !one.isForeign && named(controllerRevisions, one.name) === undefined)
    .map(({ isUnrecorded: _, ...one }, index) => ({
      ...one,
      number: latest + 1 + index,
      ...(one.name === stable?.name ? { promoted: promotions + 1 } : {}),
      ...(isRenderedSo(owner, one, settings)
        ? { template: podTemplate(owner.name, one.name, one.spec, settings) }
        : {}),
    }));
};

/** There only while one that serves, or is to take over, has no record. */
export const unrecordedMarks = ({ controllerRevisions }: Observed, { candidate, stable }: Roles): Mark[] =>
  [stable, candidate]
    .flatMap((one) => (one?.isUnrecorded ? [one] : []))
    .slice(0, 1)
    .map((one) => ({
      type: "RevisionUnrecorded",
      status: "True",
      reason: "Unrecorded",
      message: inWords(one, named(controllerRevisions, one.name)),
    }));

const inWords = ({ isForeign, name }: Revision, record: ControllerRevision | undefined): string => {
  const serves = `${name} keeps serving from its Deployment`;
  if (record !== undefined)
    return `ControllerRevision ${name} cannot be read; ${serves}. Delete it, unless a newer operator wrote it`;
  return isForeign
    ? `ControllerRevision ${name} is missing; ${serves}. Restore it from a backup, or apply the spec of ${name} again; without it Berth cannot return to ${name} after the next promotion`
    : `ControllerRevision ${name} is missing; ${serves}. Berth writes it again as soon as the API server accepts it`;
};
