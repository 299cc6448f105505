/**
 * A write that does not last slows down: two controllers that undo each other would load the API server, and replace pods, without
 * end. The same write to the same object is free a few times, then waits twice as long each time. So does one that is not taken: a webhook
 * that hangs would hold up each pass. Pure, but for what it remembers.
 */
import { createHash } from "node:crypto";
import { APPLIED_ANNOTATION } from "../api/v1alpha1/index.ts";
import { fullNameOf, type ObjectKey } from "../platform/kube/objects.ts";
import { type Action, nameOf } from "./actions.ts";
import type { Obstacle, Refused } from "./obstacle.ts";

const MOST_WAIT_MS = 600_000;
type Pace = { free: number; firstMs: number; mostMs: number };
/**
 * `free`: so many at once; then a wait (ms) that doubles. A restored pod template replaces the pods. Nobody who has mended a quota, a right
 * or a webhook waits for longer than half a minute.
 */
const PACES = {
  restore: { free: 1, firstMs: 60_000, mostMs: MOST_WAIT_MS },
  other: { free: 5, firstMs: 10_000, mostMs: MOST_WAIT_MS },
  refused: { free: 1, firstMs: 1_000, mostMs: 30_000 },
} as const;
/** Without that write for so long (ms), nobody undoes it any more. */
const FORGET_MS = 2 * MOST_WAIT_MS;

/**
 * The same write, so often in a row, the last time at `at` (ms). `intent`: what was written; undefined for a first write, which takes long to
 * spell and mostly is the last.
 */
type Repeated = { intent: string | undefined; times: number; at: number };

/** Milliseconds until the same write may be repeated. */
const waitAfter = (last: Repeated, now: number, { firstMs, free, mostMs }: Pace): number => {
  if (last.times < free) return 0;
  // a clock that was put back makes nobody wait longer than the pace does
  const wait = Math.min(firstMs * 2 ** (last.times - free), mostMs);
  return Math.max(0, Math.min(wait, last.at + wait - now));
};

/** A second write counts as the same as a first that was not spelt. */
const repeated = (last: Repeated | undefined, action: Action, now: number, { free }: Pace): Repeated => {
  const intent = last === undefined && free > 1 ? undefined : intentOf(action);
  const isSame = last !== undefined && (last.intent ?? intent) === intent && now - last.at <= FORGET_MS;
  return { intent, times: isSame ? last.times + 1 : 1, at: now };
};

/** Milliseconds until `action` may be carried out: what it intends is spelt only where it may have to wait, as an object takes long to spell. */
const waitFor = (last: Repeated | undefined, action: Action, now: number, pace: Pace): number =>
  last === undefined || last.times < pace.free || last.intent !== intentOf(action) ? 0 : waitAfter(last, now, pace);

/** A write that is held back, told once after each time that it was undone. */
export type Contested = { action: Action; times: number; waitMs: number };

export type WritePace = {
  /**
   * The actions without those that come too soon, or change nothing again; and when to look again for their sake. `hindering`: why those
   * were not taken that are not tried again yet.
   */
  due(
    key: ObjectKey,
    actions: readonly Action[],
    now: number,
  ): { due: Action[]; contested: Contested[]; hindering: Obstacle[]; againAfterMs?: number };
  /** These actions were carried out, and those were not taken: how many milliseconds until the first of them is tried again. */
  done(key: ObjectKey, actions: readonly Action[], now: number, refused?: readonly Refused[]): number | undefined;
  forget(key: ObjectKey): void;
};

type Memory = Repeated & { isTold: boolean; generation?: number };
type Refusal = Repeated & { obstacle: Obstacle };

type Due = ReturnType<WritePace["due"]>;

/** By object, and by what is written of it. */
type State = {
  readonly remembered: Map<string, Map<string, Memory>>;
  readonly refusals: Map<string, Map<string, Refusal>>;
};

export const createWritePace = (): WritePace => {
  const state: State = { remembered: new Map(), refusals: new Map() };
  return {
    due: (key, actions, now) => dueOf(state, fullNameOf(key), actions, now),
    done(key, actions, now, refused = []) {
      const again = rememberRefused(state.refusals, fullNameOf(key), actions, refused, now);
      rememberWritten(state.remembered, fullNameOf(key), actions, now);
      return again;
    },
    forget(key) {
      state.remembered.delete(fullNameOf(key));
      state.refusals.delete(fullNameOf(key));
    },
  };
};

const dueOf = ({ refusals, remembered }: State, key: string, actions: readonly Action[], now: number): Due => {
  const [ofKey, refused] = [remembered.get(key), refusals.get(key)];
  const due: Action[] = [];
  const contested: Contested[] = [];
  const hindering: Obstacle[] = [];
  const waits: number[] = [];
  for (const action of actions) {
    const write = writeOf(action);
    const refusal = refused?.get(write);
    const untilTried = waitFor(refusal, action, now, PACES.refused);
    if (refusal !== undefined && untilTried > 0) {
      waits.push(untilTried);
      hindering.push(refusal.obstacle);
      continue;
    }
    const last = ofKey?.get(write);
    // Who owns a field that is as it should be (a backup that was restored) owns it still: the spec did not change by it.
    if (action.verb === "restore" && last?.generation === action.generation) continue;
    const waitMs = waitFor(last, action, now, paceOf(action));
    if (waitMs <= 0) {
      due.push(action);
      continue;
    }
    waits.push(waitMs);
    if (last === undefined || last.isTold) continue;
    last.isTold = true;
    contested.push({ action, times: last.times, waitMs });
  }
  return { due, contested, hindering, ...(waits.length === 0 ? {} : { againAfterMs: Math.min(...waits) }) };
};

/** Milliseconds until the first of `refused` is tried again. */
const rememberRefused = (
  refusals: State["refusals"],
  key: string,
  written: readonly Action[],
  refused: readonly Refused[],
  now: number,
): number | undefined => {
  const ofKey = refusals.get(key) ?? new Map<string, Refusal>();
  for (const [write, { at }] of ofKey) if (now - at > FORGET_MS) ofKey.delete(write);
  for (const action of written) ofKey.delete(writeOf(action));
  const waits = refused.map(({ action, obstacle }) => {
    const next = repeated(ofKey.get(writeOf(action)), action, now, PACES.refused);
    ofKey.set(writeOf(action), { ...next, obstacle });
    return waitAfter(next, now, PACES.refused);
  });
  if (ofKey.size > 0) refusals.set(key, ofKey);
  else refusals.delete(key);
  return waits.length === 0 ? undefined : Math.min(...waits);
};

const rememberWritten = (
  remembered: State["remembered"],
  key: string,
  written: readonly Action[],
  now: number,
): void => {
  const ofKey = remembered.get(key) ?? new Map<string, Memory>();
  for (const [write, { at, generation }] of ofKey)
    if (generation === undefined && now - at > FORGET_MS) ofKey.delete(write);
  for (const action of written) {
    const next = repeated(ofKey.get(writeOf(action)), action, now, paceOf(action));
    const generation = action.verb === "restore" ? { generation: action.generation } : {};
    ofKey.set(writeOf(action), { ...next, ...generation, isTold: false });
  }
  if (ofKey.size > 0) remembered.set(key, ofKey);
};

const paceOf = ({ verb }: Action): Pace => (verb === "restore" ? PACES.restore : PACES.other);

/** What is written where, whatever is in it. */
const writeOf = (action: Action): string => {
  const { verb } = action;
  const manager = action.verb === "delete" ? "" : action.manager;
  const subresource = action.verb === "apply" ? (action.subresource ?? "") : "";
  return `${verb} ${nameOf(action)} ${manager} ${subresource}`;
};

/**
 * What is in it, but for which version of which object it was decided on, and when: the time of a switch, or of an end, is another in
 * each pass, and the signature with it.
 */
const intentOf = (action: Action): string => {
  if (action.verb === "delete" || action.verb === "restore") return action.verb;
  const { resourceVersion: _, uid: __, ...metadata } = { resourceVersion: "", uid: "", ...action.object.metadata };
  const text = JSON.stringify({ ...action.object, metadata }, (name, value: unknown) =>
    name === APPLIED_ANNOTATION || (typeof value === "string" && TIME.test(value)) ? "" : value,
  );
  return createHash("sha256").update(text).digest("hex");
};

const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
