import { stopSharing } from "./sharing.ts";
import type { State } from "./state.ts";

const CURE =
  "Export the model so that each row has its own scales, maxima and means, or turn batching off: " +
  "--max-batch-size 1 (in a ModelDeployment spec.server.batching.maxBatchSize)";

/**
 * Batching ends until the server starts again: what was answered wrongly once is not tried again. Batches that are running are run
 * again apart (see `done` in runs.ts).
 * @param reason for /statusz, in words
 * @param aftermath what is with the requests that it was found with
 */
export const endSharing = (state: State, reason: string, aftermath: string): void => {
  const { groups, live, model, sharing } = state;
  if (sharing.state === "ended") return;
  stopSharing(sharing, groups, live.active, model, "ended", reason);
  state.onEnded(
    `batching of model ${model.name} has ended; each request runs alone until the server restarts: ${reason}; ${aftermath}. ${CURE}`,
  );
};

/** The same where another server of the same model has found it. Requests that run apart anyway go on to do so for their own reason. */
export const endSharingToo = (state: State, found: string): void => {
  const { groups, live, model, sharing } = state;
  if (sharing.state !== "proving" && sharing.state !== "on") return;
  stopSharing(sharing, groups, live.active, model, "ended", `found in ${found}`);
  state.onEnded(
    `batching of model ${model.name} has ended; each request runs alone: another server of this model found, in ${found}. ${CURE}`,
  );
};
