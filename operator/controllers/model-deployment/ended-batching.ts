/** Servers in which requests do not share runs any more, since one was answered otherwise in a batch than alone. Pure. */
import type { Mark } from "../../api/v1alpha1/index.ts";
import { oneLine } from "../../domain/diagnosis/cause.ts";
import { podsOf } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";

/** Why batching has ended in the pod of this uid; undefined: nothing says that it has. */
export type EndedIn = (uid: string) => string | undefined;

/** Of the revisions that answer requests, the first pod by name that says so: a message that stays as it is while others follow. */
export const endedBatchingMarks = (
  observed: Observed,
  revisions: readonly (Revision | undefined)[],
  endedIn: EndedIn,
): Mark[] => {
  for (const revision of revisions) {
    if (revision === undefined) continue;
    const told = podsOf(observed, revision)
      .flatMap(({ metadata: { name, uid = "" } }) => {
        const reason = endedIn(uid);
        return reason === undefined ? [] : [{ name, reason }];
      })
      .toSorted((one, other) => (one.name < other.name ? -1 : 1));
    const [first] = told;
    if (first === undefined) continue;
    return [
      {
        type: "BatchingEnded",
        status: "True",
        reason: "AnswersDiffered",
        message: oneLine(`batching has ended in pod ${first.name} of ${revision.name}: ${first.reason}`),
      },
    ];
  }
  return [];
};
