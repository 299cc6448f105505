/** What the loop knows of one ModelDeployment, from look to look. */
import { type Memory, remember } from "../../domain/scaling/decide.ts";
import type { Phases, Scale, Subject } from "../../domain/scaling/scale.ts";
import { floorAt } from "../../domain/scaling/schedule.ts";
import type { ObjectKey } from "../../platform/kube/objects.ts";

export type Entry = {
  key: ObjectKey;
  subject: Subject;
  memory: Memory;
  /** Of the requests of the one on trial alone. */
  canary: { revision: string; memory: Memory } | undefined;
  scale: Scale;
  /** The schedule's floor, and until when (ms since 1970) it holds. */
  floor: { floor: number; until: number };
  /** Of the last start. */
  phases: Phases | undefined;
  /** Pods whose start is known, by uid. */
  started: Set<string>;
  askedAt: number;
  deafSince: number | undefined;
  /** Pods that it would have, were there devices for all. */
  desired: number;
  /** Grows with each look: what a look has decided holds only until the next one. */
  looks: number;
};

export const newEntry = (key: ObjectKey, subject: Subject, now: number): Entry => {
  const { learnt, replicas, wish } = subject;
  const wanted = Math.min(Math.max(replicas ?? Math.max(1, wish.min), wish.min), wish.max);
  const seconds = now / 1000;
  const memory = {
    ...remember(seconds, wanted),
    // another leader has seen a load that these were for
    needs: [{ at: seconds, pods: wanted }],
    starts: learnt === undefined ? [] : [learnt.startSeconds],
    curve: learnt?.curve,
  };
  return {
    ...{ key, subject, memory },
    canary: undefined,
    phases: learnt?.phases,
    started: new Set(),
    askedAt: 0,
    deafSince: undefined,
    desired: wanted,
    looks: 0,
    floor: floorAt(wish.schedule, now),
    scale: { wanted, canary: undefined, why: "floor", words: "", learnt, shortage: undefined, deaf: undefined },
  };
};

/** Pods that it has at least and at most, whatever the load. */
export const boundsOf = ({ floor, subject }: Entry): { min: number; max: number } => {
  const { isProving, wish } = subject;
  return { min: Math.min(wish.max, Math.max(wish.min, floor.floor, isProving ? 1 : 0)), max: wish.max };
};

/** The spec, or who serves, may have changed since the last look. */
export const takeSubject = (entry: Entry, subject: Subject, now: number): void => {
  if (entry.subject.generation !== subject.generation) entry.floor = floorAt(subject.wish.schedule, now);
  entry.subject = subject;
  const { max, min } = boundsOf(entry);
  const wanted = Math.min(Math.max(entry.scale.wanted, min), max);
  if (wanted === entry.scale.wanted) return;
  entry.scale = { ...entry.scale, wanted, why: wanted === max ? "ceiling" : "floor" };
  entry.memory = { ...entry.memory, wanted };
};
