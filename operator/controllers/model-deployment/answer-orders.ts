/** The commands on ModelRollouts that are done with. */
import { ACTION_ANNOTATION, MODEL_ROLLOUTS } from "../../api/v1alpha1/index.ts";
import { FIELD_MANAGER } from "../../apply/actions.ts";
import { refusalIn } from "../../apply/obstacle.ts";
import type { EventRecorder } from "../../platform/controller/events.ts";
import type { ReconcileContext } from "../../platform/controller/result.ts";
import type { Client } from "../../platform/kube/client.ts";
import { KubeError } from "../../platform/kube/errors.ts";
import type { Observed } from "./observed.ts";
import { isDone, ordersOf, refusalOf } from "./record.ts";
import { isRetryFollowed } from "./rejections.ts";
import type { Trial } from "./trial.ts";

/** No watch tells when a right is given. */
const REFUSED_AGAIN_MS = 30_000;

/** Takes the commands off that are done, or cannot be followed: that is told by an event. When to try again (ms) what is not taken off. */
export const answerOrders = async (
  client: Client,
  observed: Observed,
  trial: Trial | undefined,
  events: EventRecorder,
  { log, signal }: Pick<ReconcileContext, "log" | "signal">,
): Promise<number | undefined> => {
  let againAfterMs: number | undefined;
  for (const order of ordersOf(observed)) {
    const refusal = refusalOf(order, trial);
    const isRetry = refusal === undefined && order.word === "retry";
    if (!(isRetry ? isRetryFollowed(observed, order) : isDone(order, trial))) continue;
    if (refusal !== undefined) events.event(order.record, "Warning", "CommandRefused", "Command", refusal);
    else events.event(order.record, "Normal", "CommandDone", "Command", `${order.word}: done`);
    const { name, namespace = "", uid = "" } = order.record.metadata;
    const metadata = { name, namespace, uid, annotations: { [ACTION_ANNOTATION]: null } };
    try {
      await client.patch(MODEL_ROLLOUTS, { metadata }, { fieldManager: FIELD_MANAGER, signal });
    } catch (error) {
      // a record that leaves nothing to be read goes with its command
      if (error instanceof KubeError && error.kind === "notFound") continue;
      const refused = refusalIn(error);
      if (refused === undefined || !("message" in refused)) throw error;
      log.warn({ err: error }, "the annotation of a finished command cannot be removed from its ModelRollout");
      events.event(order.record, "Warning", "WriteRefused", "Command", refused.message);
      againAfterMs = REFUSED_AGAIN_MS;
    }
  }
  return againAfterMs;
};
