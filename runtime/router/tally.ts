/** What is counted of one request: of each revision once what it has come to, and once, if at all, as evidence. */
import { countEvidence, countOutcome, type Outcome } from "./counters.ts";
import type { Arm, LivePod } from "./fleet.ts";

export type Tally = {
  /** Chance, or a tester, has chosen a revision; `counts`: what becomes of it there is evidence. */
  chosen(counts: boolean): void;
  /** What a pod does with it now is evidence. */
  counts(): boolean;
  /** Another revision is asked. */
  replayed(from: Arm): void;
  /** A pod has answered, or failed. @param seconds to the first byte; undefined where there was none */
  ended(arm: Arm, pod: LivePod, outcome: Outcome, seconds: number | undefined): void;
  /** No pod of the revision could be asked. */
  unanswered(arm: Arm): void;
  /** A canary's pod has refused it, and stable is asked the same: if that answers, it was no fault of the request. */
  refused(pod: LivePod, seconds: number): void;
  /** The client gets an answer with this status. */
  told(status: number): void;
  /** What became of it says nothing of any revision. */
  forget(): void;
  wasHeld(): void;
};

export const createTally = (): Tally => {
  let isEvidence = false;
  let isReplay = false;
  let isHeld = false;
  let unanswered: readonly Arm[] = [];
  let refusal: { pod: LivePod; seconds: number | undefined } | undefined;
  /** Held requests say nothing of latency. */
  const unlessHeld = (seconds: number | undefined): number | undefined => (isHeld ? undefined : seconds);

  return {
    chosen(counts) {
      isEvidence = counts;
    },
    counts: () => isEvidence,
    replayed(from) {
      isEvidence = false;
      if (isReplay) return;
      isReplay = true;
      from.counters.replayed++;
    },
    ended({ counters }, pod, outcome, seconds) {
      countOutcome(counters, outcome, seconds);
      if (isEvidence) countEvidence(pod.evidence, outcome, unlessHeld(seconds));
      isEvidence = false;
    },
    unanswered(arm) {
      if (unanswered.includes(arm)) return;
      unanswered = [...unanswered, arm];
      countOutcome(arm.counters, "unreachable", undefined);
      if (isEvidence) countEvidence(arm.evidence, "unreachable", undefined);
      isEvidence = false;
    },
    refused(pod, seconds) {
      if (isEvidence) refusal = { pod, seconds: unlessHeld(seconds) };
      isEvidence = false;
    },
    told(status) {
      if (refusal === undefined) return;
      countEvidence(refusal.pod.evidence, status < 400 ? "serverError" : "clientError", refusal.seconds);
      refusal = undefined;
    },
    forget() {
      isEvidence = false;
      refusal = undefined;
    },
    wasHeld() {
      isHeld = true;
    },
  };
};
