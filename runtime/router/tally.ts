/** What is counted of one request: of each revision once what it has come to, and once, if at all, as evidence. */
import { countEvidence, countOutcome, type Outcome } from "./counters.ts";
import type { Arm, LivePod } from "./fleet.ts";

export type Tally = {
  /** What becomes of it now is evidence on the revision that was chosen. */
  isEvidence: boolean;
  /** Another revision was asked than the one that was chosen. */
  isReplay: boolean;
  /** It says nothing of latency. */
  wasHeld: boolean;
  /** The revisions none of whose pods could be asked. */
  unanswered: readonly Arm[];
  /** The canary's pod that has refused it: whether that was the canary's fault is known by what stable says. */
  refusal: { pod: LivePod; seconds: number | undefined } | undefined;
};

export const createTally = (): Tally => ({
  isEvidence: false,
  isReplay: false,
  wasHeld: false,
  unanswered: [],
  refusal: undefined,
});

/** Another revision is asked. */
export const countReplay = (tally: Tally, from: Arm): void => {
  tally.isEvidence = false;
  if (tally.isReplay) return;
  tally.isReplay = true;
  from.counters.replayed++;
};

/** A pod has answered, or failed. @param seconds to the first byte; undefined where there was none */
export const countEnded = (
  tally: Tally,
  { counters }: Arm,
  pod: LivePod,
  outcome: Outcome,
  seconds: number | undefined,
): void => {
  countOutcome(counters, outcome, seconds);
  if (tally.isEvidence) countEvidence(pod.evidence, outcome, tally.wasHeld ? undefined : seconds);
  tally.isEvidence = false;
};

/** No pod of the revision could be asked, however many were tried. */
export const countUnanswered = (tally: Tally, arm: Arm): void => {
  if (tally.unanswered.includes(arm)) return;
  tally.unanswered = [...tally.unanswered, arm];
  countOutcome(arm.counters, "unreachable", undefined);
  if (tally.isEvidence) countEvidence(arm.evidence, "unreachable", undefined);
  tally.isEvidence = false;
};

/** A canary's pod has refused it, and stable is asked the same: if that answers, it was no fault of the request. */
export const countRefusal = (tally: Tally, pod: LivePod, seconds: number): void => {
  if (tally.isEvidence) tally.refusal = { pod, seconds: tally.wasHeld ? undefined : seconds };
  tally.isEvidence = false;
};

/** The client gets an answer with this status. */
export const judgeRefusal = (tally: Tally, status: number): void => {
  if (tally.refusal === undefined) return;
  const { pod, seconds } = tally.refusal;
  countEvidence(pod.evidence, status < 400 ? "serverError" : "clientError", seconds);
  tally.refusal = undefined;
};

/** What became of it says nothing of any revision. */
export const forget = (tally: Tally): void => {
  tally.isEvidence = false;
  tally.refusal = undefined;
};
