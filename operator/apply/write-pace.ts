/**
 * A write that does not last slows down: two controllers that undo each other would load the API server, and replace pods, without
 * end. The same write to the same object is free a few times, then waits twice as long each time. Pure, but for what it remembers.
 */
import { createHash } from "node:crypto";
import type { ObjectKey } from "../platform/kube/objects.ts";
import { type Action, nameOf } from "./actions.ts";

/** `free`: so many at once; then a wait (ms) that doubles. A restored pod template replaces the pods. */
const PACES = {
  restore: { free: 1, firstMs: 60_000 },
  other: { free: 5, firstMs: 10_000 },
} as const;
const MOST_WAIT_MS = 600_000;
/** Without that write for so long (ms), nobody undoes it any more. */
const FORGET_MS = 2 * MOST_WAIT_MS;

/** The same write, so often in a row, the last time at `at` (ms). */
export type Repeated = { intent: string; times: number; at: number };

/** Milliseconds until the write may be repeated. */
export const waitFor = (
  last: Repeated | undefined,
  intent: string,
  now: number,
  { firstMs, free }: { free: number; firstMs: number },
): number => {
  if (last === undefined || last.intent !== intent || last.times < free) return 0;
  // a clock that was put back makes nobody wait longer than the pace does
  const wait = Math.min(firstMs * 2 ** (last.times - free), MOST_WAIT_MS);
  return Math.max(0, Math.min(wait, last.at + wait - now));
};

export const repeated = (last: Repeated | undefined, intent: string, now: number): Repeated => {
  const isSame = last !== undefined && last.intent === intent && now - last.at <= FORGET_MS;
  return { intent, times: isSame ? last.times + 1 : 1, at: now };
};

/** A write that is held back, told once after each time that it was undone. */
export type Contested = { action: Action; times: number; waitMs: number };

export type WritePace = {
  /** The actions without those that come too soon, or change nothing again; and when to look again for their sake. */
  due(
    key: ObjectKey,
    actions: readonly Action[],
    now: number,
  ): { due: Action[]; contested: Contested[]; againAfterMs?: number };
  /** These actions were carried out. */
  done(key: ObjectKey, actions: readonly Action[], now: number): void;
  forget(key: ObjectKey): void;
};

type Memory = Repeated & { isTold: boolean; generation?: number };

export const createWritePace = (): WritePace => {
  const remembered = new Map<string, Map<string, Memory>>();
  return {
    due(key, actions, now) {
      const ofKey = remembered.get(keyed(key));
      const due: Action[] = [];
      const contested: Contested[] = [];
      const waits: number[] = [];
      for (const action of actions) {
        const last = ofKey?.get(writeOf(action));
        // Who owns a field that is as it should be (a backup that was restored) owns it still: the spec did not change by it.
        if (action.verb === "restore" && last?.generation === action.generation) continue;
        const waitMs = waitFor(last, intentOf(action), now, paceOf(action));
        if (waitMs <= 0) {
          due.push(action);
          continue;
        }
        waits.push(waitMs);
        if (last === undefined || last.isTold) continue;
        last.isTold = true;
        contested.push({ action, times: last.times, waitMs });
      }
      return { due, contested, ...(waits.length === 0 ? {} : { againAfterMs: Math.min(...waits) }) };
    },
    done(key, actions, now) {
      const ofKey = remembered.get(keyed(key)) ?? new Map<string, Memory>();
      for (const [write, { at, generation }] of ofKey)
        if (generation === undefined && now - at > FORGET_MS) ofKey.delete(write);
      for (const action of actions) {
        const next = repeated(ofKey.get(writeOf(action)), intentOf(action), now);
        const generation = action.verb === "restore" ? { generation: action.generation } : {};
        ofKey.set(writeOf(action), { ...next, ...generation, isTold: false });
      }
      if (ofKey.size > 0) remembered.set(keyed(key), ofKey);
    },
    forget: (key) => void remembered.delete(keyed(key)),
  };
};

const keyed = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`;

const paceOf = ({ verb }: Action) => (verb === "restore" ? PACES.restore : PACES.other);

/** What is written where, whatever is in it. */
const writeOf = (action: Action): string => {
  const { verb } = action;
  const manager = action.verb === "delete" ? "" : action.manager;
  const subresource = action.verb === "apply" ? (action.subresource ?? "") : "";
  return `${verb} ${nameOf(action)} ${manager} ${subresource}`;
};

/** What is in it, but for which version of which object it was decided on. */
const intentOf = (action: Action): string => {
  if (action.verb === "delete" || action.verb === "restore") return action.verb;
  const { resourceVersion: _, uid: __, ...metadata } = { resourceVersion: "", uid: "", ...action.object.metadata };
  return createHash("sha256")
    .update(JSON.stringify({ ...action.object, metadata }))
    .digest("hex");
};
