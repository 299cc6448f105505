/** What is written on ControllerRevisions, so that it outlives a lost status: which served, in which order, and which were rejected. Pure. */
import { type Action, apply } from "../../apply/actions.ts";
import { CONTROLLER_REVISIONS } from "../../platform/kube/resources.ts";
import { revisionMarks } from "./children/controller-revision.ts";
import { named } from "./findings.ts";
import type { Observed } from "./observed.ts";
import { type Rejected, rejectionsOf } from "./rejections.ts";
import type { Revision } from "./revision.ts";

/** Follows the status, which is the authority; what was lost with a status changes no mark. */
export const markActions = (observed: Observed, stable: Revision | undefined): Action[] => {
  const { controllerRevisions, owner, revisions } = observed;
  const rejections = rejectionsOf(observed);
  const latest = Math.max(0, ...revisions.map(({ promoted }) => promoted ?? 0));
  return revisions.flatMap((revision) => {
    const isUnmarked = revision.name === stable?.name && revision.promoted !== latest;
    const { rejected: before, ...rest } = revision;
    const rejected = rejectionIn(rejections, revision);
    const existing = named(controllerRevisions, revision.name);
    const isSame = before?.analysis === rejected?.analysis && before?.message === rejected?.message;
    if (existing === undefined || (!isUnmarked && isSame)) return [];
    const marked = {
      ...rest,
      ...(isUnmarked ? { promoted: latest + 1 } : {}),
      ...(rejected === undefined ? {} : { rejected }),
    };
    return [apply(CONTROLLER_REVISIONS, revisionMarks(owner, marked), existing)];
  });
};

const rejectionIn = (rejections: readonly Rejected[], { name }: Revision): Revision["rejected"] => {
  const found = rejections.find(({ revision }) => revision === name);
  return found && { analysis: found.analysis, message: found.message };
};
