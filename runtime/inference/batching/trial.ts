import { retestAt } from "./groups.ts";
import type { Entry, Group, Trial } from "./queue.ts";

/** So many batches in a row that fail for no member's fault are no accident. */
const LIMIT = 3;
/** Then requests run apart for this long: each attempt runs all members of a batch twice. */
const PAUSE_MS = 600_000;

export const beginTrial = (entries: readonly Entry[], group: Group, message: string): void => {
  const trial: Trial = { group, members: entries.length, well: 0, message };
  for (const entry of entries) entry.trial = trial;
};

/** A member ran well alone. One that failed, or was not run, leaves the batch's failure unexplained or explains it. */
export const ranWell = ({ trial }: Entry, now: number): void => {
  if (trial === undefined) return;
  trial.well += 1;
  if (trial.well < trial.members) return;
  const { group, message } = trial;
  group.failedTogether += 1;
  if (group.failedTogether < LIMIT) return;
  group.trouble = `${group.failedTogether} batches in a row failed, though their requests run well apart: ${message}`;
  group.gaining = false;
  group.size = 1;
  group.retestAt = Math.max(retestAt(group, now), now + PAUSE_MS);
};

export const batchRanWell = (group: Group): void => {
  group.failedTogether = 0;
  group.trouble = "";
};
