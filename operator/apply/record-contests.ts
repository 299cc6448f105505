/** Tells of writes that something else undoes, by events on those whose objects they are. */
import type { Reason } from "../api/v1alpha1/index.ts";
import type { EventRecorder } from "../platform/controller/events.ts";
import type { Client } from "../platform/kube/client.ts";
import type { KubeObject, ObjectKey } from "../platform/kube/objects.ts";
import type { Action } from "./actions.ts";
import { contestInWords } from "./contest.ts";
import type { Contested } from "./write-pace.ts";

const REASON: Reason = "WriteUndone";

/** The caches do not hold who owns which field, so the API server is asked: once for each time that a write is undone. */
export const recordContests = async (
  client: Client,
  events: EventRecorder,
  regarding: readonly KubeObject[],
  contested: readonly Contested[],
  signal: AbortSignal,
): Promise<void> => {
  for (const contest of contested) {
    const live = await client.get(contest.action.resource, keyOf(contest.action), signal).catch(() => undefined);
    const note = contestInWords(contest, live);
    for (const object of regarding) events.event(object, "Warning", REASON, "Write", note);
  }
};

const keyOf = (action: Action): ObjectKey => {
  if (action.verb === "delete") return action;
  const { name, namespace = "" } = action.object.metadata;
  return { name, namespace };
};
