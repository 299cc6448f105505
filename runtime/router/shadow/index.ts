/**
 * Copies some of the requests that stable has answered to the canary, whose answers are compared with stable's and go nowhere.
 * Some go to stable once more instead: how often a model disagrees with itself is no fault of a canary. Under load copies are
 * what is dropped first.
 */
import { setImmediate } from "node:timers/promises";
import { firstFieldOf } from "../../transport/http/fields.ts";
import { leastOutstanding } from "../balance.ts";
import { withoutDeadline } from "../deadline.ts";
import type { Fleet } from "../fleet.ts";
import type { KeptBytes } from "../kept-bytes.ts";
import type { Capture } from "../life.ts";
import type { Message, Sent } from "../message.ts";
import type { Route, Table } from "../table.ts";
import { type Collected, collect } from "./collect.ts";
import type { Tolerance } from "./compare.ts";
import { createShadowCounters, type ShadowCounters } from "./counters.ts";
import { judge } from "./judge.ts";
import { type Answer, isInference, readAnswer } from "./read-answer.ts";

export type Shadow = {
  /** Stable begins to answer this request. Undefined: it is not copied. */
  answered(message: Message): Capture | undefined;
  counters: ShadowCounters;
};

export type ShadowOptions = {
  table(): Table | undefined;
  fleet: Fleet;
  kept: KeptBytes;
  timeoutMs(): number;
  /** By output. */
  tolerances(): ReadonlyMap<string, Tolerance>;
  /** Requests under way on one pod. */
  cap: number;
  /** In [0, 1). */
  random(): number;
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
/** Of its cap, what a pod may be busy with and still get copies: clients come first. */
const BUSY_SHARE = 0.25;
/** Of stable's answer, also when it is decompressed; a larger one is not compared. Reading one of JSON takes some 10 ms, and 100 at worst. */
const MOST_ANSWER = 1024 ** 2;
/** The same numbers may take more digits: a canary's answer that is larger still is another one. */
const MOST_THEIRS = 4 * MOST_ANSWER;
const MOST_OUTPUTS = 64;
/** What a pod says that has too much to do. */
const OVERLOADED: ReadonlySet<number> = new Set([429, 503]);

/** `busy`: it was not asked, or had no time: that is no fault of its model. `failed`: it was, and did not answer as stable has. */
type Told = Answer | "busy" | "failed" | "large";

/** `revisions`: the two that are compared; `isSuspect`: of them an answer had lost its numbers when this pair was chosen. */
type Pair = { kind: "canary" | "self"; message: Message; revisions: string; isSuspect: boolean };

/** `route`: of the revision that is asked once more. */
type Pairing = { pair: Pair; route: Route };

/** What is known of the copies so far. */
type State = {
  readonly options: ShadowOptions;
  readonly counters: ShadowCounters;
  /** Under way. */
  copies: number;
  /** Of a stable revision: copies that went to it again. */
  self: { revision: string; copies: number };
  /** The two revisions of which an answer has lost its numbers. */
  suspects: string;
  /** Answers are read one pair after another, so that no more than two are in memory as tensors. */
  judged: Promise<void>;
};

export const createShadow = (options: ShadowOptions): Shadow => {
  const counters = createShadowCounters();
  const self = { revision: "", copies: 0 };
  const state: State = { options, counters, copies: 0, self, suspects: "", judged: Promise.resolve() };
  return { counters, answered: (message) => answered(state, message) };
};

const answered = (state: State, message: Message): Capture | undefined => {
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
const choose = (state: State, message: Message): Pairing | undefined => {
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

const selfShare = (state: State, { revision }: Route): number => {
  if (state.self.revision !== revision) state.self = { revision, copies: 0 };
  return state.self.copies < FIRST_PAIRS ? SELF_SHARE.first : SELF_SHARE.later;
};

/** The canary is not too busy with requests whose clients wait. */
const hasRoom = ({ cap, fleet }: ShadowOptions, { revision }: Route): boolean =>
  fleet.arm(revision).room.size() === 0 &&
  fleet.arm(revision).pods.some(({ isReady, outstanding }) => isReady && outstanding < cap * BUSY_SHARE);

/** Keeps stable's answer as it comes, and copies the request once it is whole. */
const capture = (state: State, { pair, route }: Pairing, memory: Memory): Capture => {
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

const copy = async (state: State, pair: Pair, route: Route, ours: Answer, memory: Memory): Promise<void> => {
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

const weigh = async (state: State, pair: Pair, ours: Answer, theirs: Answer): Promise<void> => {
  const { counters, options } = state;
  const { kind, message } = pair;
  // other requests go on between two pairs
  await setImmediate();
  const stable = await readAnswer(message, ours, MOST_ANSWER);
  const other = await readAnswer(message, theirs, MOST_THEIRS);
  const judgement = judge(stable, other, options.tolerances());
  if (judgement.kind === "incomparable") {
    incomparable(state, judgement.reason);
    return;
  }
  noteLoss(state, pair, judgement.kind === "disagrees" && judgement.isLost);
  if (judgement.kind === "disagrees") disagrees(state, kind, judgement.outputs, judgement.reason);
  else counters[kind].compared++;
};

const noteLoss = (state: State, { isSuspect, kind, revisions }: Pair, isLost: boolean): void => {
  const { losses } = state.counters;
  if (isSuspect) {
    losses[kind].compared++;
    if (isLost) losses[kind].lost++;
  }
  if (isLost) state.suspects = revisions;
};

const disagrees = (
  { counters }: State,
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

const incomparable = ({ counters }: State, reason: string): void => {
  counters.incomparable++;
  note(counters, reason);
};

const note = (counters: ShadowCounters, reason: string): void => {
  counters.reason = reason.slice(0, 300);
};

/** Asks a pod of `route` once more; what its answer takes besides the `had` bytes of stable's is added to `memory`. */
const ask = (options: ShadowOptions, message: Message, route: Route, had: number, memory: Memory): Promise<Told> => {
  const { cap, fleet, random } = options;
  const arm = fleet.arm(route.revision);
  const { protocol } = message;
  const up = arm.pods.filter(({ reach }) => reach[protocol].failures === 0);
  const pod = leastOutstanding(up, Math.max(1, cap * BUSY_SHARE), random());
  if (pod === undefined) return Promise.resolve("busy");
  const slot = fleet.take(arm, pod, { protocol, isStream: false });
  const { promise, resolve } = Promise.withResolvers<Told>();
  let isShort = false;
  const fits = (bytes: number): boolean => {
    if (bytes > MOST_THEIRS) return false;
    isShort = !memory.grow(had + bytes);
    return !isShort;
  };
  const collected = collect(fits, (answer) => {
    if (answer === "large") sent?.abort();
    resolve(isShort ? "busy" : toldBy(answer));
  });
  let sent: Sent | undefined;
  const timer = setTimeout(() => {
    sent?.abort();
    resolve("failed");
  }, options.timeoutMs());
  // a canary that takes longer than its client had time is slow, and the evidence knows it from requests of its own
  sent = pod.client.send(withoutDeadline(message), {
    reached: () => fleet.reached(slot),
    head: collected.head,
    data: collected.data,
    flush: () => "kept",
    end: collected.end,
    failed: (kind) => {
      if (kind === "unreachable") fleet.missed(slot);
      // a request that has reached nobody says nothing
      resolve(kind === "unreachable" || kind === "unseen" ? "busy" : "failed");
    },
  });
  return promise.finally(() => {
    clearTimeout(timer);
    fleet.give(slot);
  });
};

/** Of the bytes that the router keeps: a request's body and its two answers, of which most are far smaller than the largest. */
type Memory = {
  /** False where there is no room for answers of so many bytes. */
  grow(answers: number): boolean;
  give(): void;
};

const takeMemory = (kept: KeptBytes, body: number): Memory | undefined => {
  let taken = body + MOST_ANSWER;
  if (!kept.take(taken)) return undefined;
  return {
    grow: (answers) => {
      const more = body + answers - taken;
      if (more <= 0) return true;
      if (!kept.take(more)) return false;
      taken += more;
      return true;
    },
    give: () => kept.give(taken),
  };
};

/** A pod that has too much to do says when to come back; without that it is the answer that this request gets. */
const toldBy = (collected: Collected): Told => {
  if (collected === "large") return "large";
  if (collected === "cut") return "failed";
  const { fields, outcome } = collected.head;
  const isLater = ["retry-after", "grpc-retry-pushback-ms"].some((name) => firstFieldOf(fields, name) !== undefined);
  if (OVERLOADED.has(outcome) && isLater) return "busy";
  return outcome >= 400 ? "failed" : collected;
};
