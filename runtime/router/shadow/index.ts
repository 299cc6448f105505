/**
 * Copies some of the requests that stable has answered to the canary, whose answers are compared with stable's and go nowhere.
 * Some go to stable once more instead: how often a model disagrees with itself is no fault of a canary. Under load copies are
 * what is dropped first.
 */
import type { Capture } from "../life.ts";
import type { Message } from "../message.ts";
import type { Route } from "../table.ts";
import { ask } from "./ask-again.ts";
import { collect } from "./collect.ts";
import { createShadowCounters, type ShadowCounters } from "./counters.ts";
import { type Memory, takeMemory } from "./memory.ts";
import { type Answer, isInference, MOST_ANSWER, MOST_THEIRS } from "./read-answer.ts";
import { BUSY_SHARE, type Pair, type ShadowOptions, type ShadowState } from "./state.ts";
import { disagrees, incomparable, noteLoss, weigh } from "./weigh.ts";

export type Shadow = {
  /** Stable begins to answer this request. Undefined: it is not copied. */
  answered(message: Message): Capture | undefined;
  counters: ShadowCounters;
};

/**
 * Of the copies, those that go to stable again: many at first, since nothing can be said of a canary before it is known how often
 * the model disagrees with itself; then a tenth.
 */
const SELF_SHARE = { first: 0.3, later: 0.1 } as const;

/** Of such pairs of one stable revision. */
const FIRST_PAIRS = 30;

/**
 * The same once an answer has lost its numbers: as often as the canary's do, by chance, so would stable's, and it takes as many pairs of
 * the one as of the other to tell. Only pairs that are chosen after that count for it: the share of those is known before they are.
 */
const SUSPECT_SHARE = 0.5;

/** Copies under way. */
const MOST_COPIES = 32;

/** `route`: of the revision that is asked once more. */
type Pairing = { pair: Pair; route: Route };

export const createShadow = (options: ShadowOptions): Shadow => {
  const counters = createShadowCounters();
  const self = { revision: "", copies: 0 };
  const state: ShadowState = { options, counters, copies: 0, self, suspects: "", judged: Promise.resolve() };
  return { counters, answered: (message) => answered(state, message) };
};

const answered = (state: ShadowState, message: Message): Capture | undefined => {
  const { counters, options } = state;
  const { body } = message;
  const pairing = choose(state, message);
  if (pairing === undefined || body.kind !== "whole") return undefined;
  const memory = takeMemory(options.kept, body.bytes);
  if (state.copies >= MOST_COPIES || !hasRoom(options, pairing.route) || memory === undefined) {
    memory?.give();
    counters.dropped++;
    return undefined;
  }
  return capture(state, pairing, memory);
};

/** Which pod's answer is to be compared, if any. */
const choose = (state: ShadowState, message: Message): Pairing | undefined => {
  const { options } = state;
  const routes = options.table()?.routes ?? [];
  const canary = routes.find(({ role }) => role === "canary");
  const stable = routes.find(({ role }) => role === "stable");
  if (canary === undefined || stable === undefined || message.body.kind !== "whole" || !isInference(message))
    return undefined;
  if (options.random() * 100 >= canary.shadow) return undefined;
  const revisions = `${stable.revision} ${canary.revision}`;
  const isSuspect = state.suspects === revisions;
  const isSelf = options.random() < (isSuspect ? SUSPECT_SHARE : selfShare(state, stable));
  return {
    pair: { kind: isSelf ? "self" : "canary", message, revisions, isSuspect },
    route: isSelf ? stable : canary,
  };
};

const selfShare = (state: ShadowState, { revision }: Route): number => {
  if (state.self.revision !== revision) state.self = { revision, copies: 0 };
  return state.self.copies < FIRST_PAIRS ? SELF_SHARE.first : SELF_SHARE.later;
};

/** The canary is not too busy with requests whose clients wait. */
const hasRoom = ({ cap, fleet }: ShadowOptions, { revision }: Route): boolean =>
  fleet.arm(revision).room.size() === 0 &&
  fleet.arm(revision).pods.some(({ isReady, outstanding }) => isReady && outstanding < cap * BUSY_SHARE);

/** Keeps stable's answer as it comes, and copies the request once it is whole. */
const capture = (state: ShadowState, { pair, route }: Pairing, memory: Memory): Capture => {
  state.copies++;
  if (pair.kind === "self") state.self.copies++;
  const done = (): void => {
    state.copies--;
    memory.give();
  };
  const collected = collect(
    (bytes) => bytes <= MOST_ANSWER,
    (ours) => {
      if (ours === "large")
        incomparable(state, `an answer has more than ${MOST_ANSWER} bytes, and Berth does not compare it`);
      if (typeof ours === "string" || ours.head.outcome >= 400) done();
      else void copy(state, pair, route, ours, memory).finally(done);
    },
  );
  return { head: collected.head, data: collected.data, end: collected.end, dropped: () => collected.drop() };
};

const copy = async (state: ShadowState, pair: Pair, route: Route, ours: Answer, memory: Memory): Promise<void> => {
  const { counters } = state;
  const { kind, message } = pair;
  const told = await ask(state.options, message, route, ours.bytes.length, memory);
  if (told === "busy") counters.dropped++;
  else if (told === "large") {
    noteLoss(state, pair, true);
    disagrees(state, kind, [], `the canary answers ${ours.bytes.length} bytes of stable with more than ${MOST_THEIRS}`);
  } else if (told !== "failed") {
    state.judged = state.judged
      .then(() => weigh(state, pair, ours, told))
      .catch((error) => incomparable(state, String(error)));
    await state.judged;
  } else if (kind === "self") disagrees(state, kind, [], undefined);
  else counters.failed++;
};
