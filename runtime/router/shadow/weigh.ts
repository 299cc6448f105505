/** What two answers to one request count for. */
import { setImmediate } from "node:timers/promises";
import type { ShadowCounters } from "./counters.ts";
import type { Answer } from "./read-answer.ts";
import type { Pair, ShadowState } from "./state.ts";

const MOST_OUTPUTS = 64;

export const weigh = async (state: ShadowState, pair: Pair, ours: Answer, theirs: Answer): Promise<void> => {
  const { counters, options } = state;
  const { kind, message } = pair;
  const { protocol, target } = message;
  // other requests go on between two pairs
  await setImmediate();
  const judgement = await options.judging({
    message: { protocol, target },
    ours,
    theirs,
    tolerances: options.tolerances(),
  });
  if (judgement.kind === "incomparable") {
    incomparable(state, judgement.reason);
    return;
  }
  noteLoss(state, pair, judgement.kind === "disagrees" && judgement.isLost);
  if (judgement.kind === "disagrees") disagrees(state, kind, judgement.outputs, judgement.reason);
  else counters[kind].compared++;
};

export const noteLoss = (state: ShadowState, { isSuspect, kind, revisions }: Pair, isLost: boolean): void => {
  const { losses } = state.counters;
  if (isSuspect) {
    losses[kind].compared++;
    if (isLost) losses[kind].lost++;
  }
  if (isLost) state.suspects = revisions;
};

export const disagrees = (
  { counters }: ShadowState,
  kind: Pair["kind"],
  outputs: readonly string[],
  reason: string | undefined,
): void => {
  counters[kind].compared++;
  counters[kind].disagreed++;
  // what stable says of itself is no news of the canary
  if (kind === "self") return;
  if (reason !== undefined) note(counters, reason);
  for (const name of outputs) {
    const known = counters.outputs.get(name);
    if (known !== undefined || counters.outputs.size < MOST_OUTPUTS) counters.outputs.set(name, (known ?? 0) + 1);
  }
};

export const incomparable = ({ counters }: ShadowState, reason: string): void => {
  counters.incomparable++;
  note(counters, reason);
};

const note = (counters: ShadowCounters, reason: string): void => {
  counters.reason = reason.slice(0, 300);
};
