import { stopSharing } from "./sharing.ts";
import type { State } from "./state.ts";

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
    `batching of model ${model.name} has ended, and requests run apart until the server starts again: ${reason}; ${aftermath}. ` +
      "Export the model so that each row has its own scales, maxima and means, or turn batching off: " +
      "--max-batch-size 1 (in a ModelDeployment spec.server.batching.maxBatchSize)",
  );
};
