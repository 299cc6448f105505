/** Revisions whose requests do not share runs any more, since one was answered otherwise in a batch than alone. Pure. */
import { BATCHING_KEY, batchingName, type Mark } from "../../api/v1alpha1/index.ts";
import { type Action, create } from "../../apply/actions.ts";
import { oneLine } from "../../domain/diagnosis/cause.ts";
import { CONFIG_MAPS } from "../../platform/kube/resources.ts";
import { batchingConfigMap } from "./children/batching-config-map.ts";
import { BATCHING_VOLUME } from "./children/pod-template.ts";
import { named, podsOf } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";

/** Why batching has ended in the pod of this uid; undefined: nothing says that it has. */
export type EndedIn = (uid: string) => string | undefined;

/**
 * Where it was found, and what: as it was written down, or else of the first pod by name that says so, so that the words stay as they are
 * while others follow.
 */
const foundIn = (observed: Observed, revision: Revision, endedIn: EndedIn): string | undefined =>
  named(observed.configMaps, batchingName(revision.name))?.data?.[BATCHING_KEY] ??
  podsOf(observed, revision)
    .flatMap(({ metadata: { name, uid = "" } }) => {
      const reason = endedIn(uid);
      return reason === undefined ? [] : [`${name}: ${reason}`];
    })
    .toSorted()[0];

/** The pods of a revision from before there was such a file are told nothing: each goes by itself. */
const isTold = ({ template }: Revision): boolean =>
  (template.spec?.volumes ?? []).some(({ name }) => name === BATCHING_VOLUME);

/** Once one pod has found it, it holds for all of its revision, for good: the rows of its model depend on each other. */
export const endBatching = (observed: Observed, endedIn: EndedIn): Action[] =>
  observed.revisions.flatMap((revision) => {
    const isThere = named(observed.configMaps, batchingName(revision.name)) !== undefined;
    const found = isThere || !isTold(revision) ? undefined : foundIn(observed, revision, endedIn);
    return found === undefined
      ? []
      : [create(CONFIG_MAPS, batchingConfigMap(observed.owner, revision.name, oneLine(found)))];
  });

/** Of the first of the revisions that answer requests. */
export const endedBatchingMarks = (
  observed: Observed,
  revisions: readonly (Revision | undefined)[],
  endedIn: EndedIn,
): Mark[] => {
  for (const revision of revisions) {
    const found = revision && foundIn(observed, revision, endedIn);
    if (revision === undefined || found === undefined) continue;
    const message = oneLine(
      `batching has ended ${isTold(revision) ? "for all pods" : "in a pod"} of ${revision.name}: ${found}`,
    );
    return [{ type: "BatchingEnded", status: "True", reason: "BatchResultsDiffer", message }];
  }
  return [];
};
