/** A try of a request on one pod: its times, and the answer as it comes. */
import type { After } from "../event-loop/after.ts";
import { withTimeLeft } from "./deadline.ts";
import type { Fleet, PodClient, Slot } from "./fleet.ts";
import type { AnswerHead, Failure, Fields, Flushed, Sent } from "./message.ts";
import type { Upload } from "./upload.ts";

/** Why it is ended here. */
export type Cut =
  /** No first byte in time. */
  | "late"
  /** Neither side has said anything for too long. */
  | "idle"
  /** The client's own time is over. */
  | "deadline"
  /** It has become a stream, and there is no place for one more. */
  | "crowded";

export type Attempt = {
  readonly fleet: Fleet;
  readonly slot: Slot;
  readonly upload: Upload;
  /** To the first byte of the answer, from when the request is whole. */
  readonly patienceMs: number;
  readonly idleMs: number;
  readonly deadlineAt: number;
  readonly now: () => number;
  readonly after: After;
  readonly startedAt: number;
  /** The pod has taken the connection. */
  isReached: boolean;
  /** When the request was. */
  wholeAt: number;
  /** When the answer began. */
  beganAt: number;
  /** When the pod said something last. */
  movedAt: number;
  /** When it is one, unless it has ended. */
  streamAt: number;
  /** How much there is to come is known: it ends by itself, as long as it moves. */
  isMeasured: boolean;
  /** The client does not take more for now. */
  isPaused: boolean;
  /** The client did not take all at once: what was read meanwhile has not gone to the same places. */
  wasPaused: boolean;
  /** The clock is set for an answer that goes on. */
  isSettled: boolean;
  isOver: boolean;
  alarm: { close(): void };
  sent: Sent | undefined;
};

export type AttemptOptions = Pick<
  Attempt,
  "fleet" | "slot" | "upload" | "patienceMs" | "idleMs" | "deadlineAt" | "now" | "after"
> & { client: PodClient };

/** What becomes of it; `of`: whoever has begun it. */
export type AttemptEvents<T> = {
  head(of: T, head: AnswerHead): void;
  data(of: T, piece: Buffer): boolean;
  flush(of: T): Flushed;
  end(of: T, trailers: Fields, outcome: number): void;
  failed(of: T, kind: Failure, reason: string): void;
  cut(of: T, why: Cut): void;
  /** It takes a place among the streams. False: there is none, or its client has as many as it may have. */
  toStream(of: T): boolean;
};

/** What takes longer, and is not the pod's work (a body that comes slowly, an answer that goes on), is a stream. */
const STREAM_AFTER_MS = 1000;
const NEVER = Number.POSITIVE_INFINITY;
const NO_ALARM = { close: (): void => undefined };

export const startAttempt = <T>(options: AttemptOptions, events: AttemptEvents<T>, of: T): Attempt => {
  const { after, client, deadlineAt, fleet, idleMs, now, patienceMs, slot, upload } = options;
  const startedAt = now();
  const isWhole = upload.isWhole();
  const ring = (): void => onAlarm(attempt, events, of, ring);
  const attempt: Attempt = {
    fleet,
    slot,
    upload,
    patienceMs,
    idleMs,
    deadlineAt,
    now,
    after,
    startedAt,
    isReached: false,
    wholeAt: isWhole ? startedAt : NEVER,
    beganAt: NEVER,
    movedAt: startedAt,
    streamAt: startedAt + STREAM_AFTER_MS,
    isMeasured: upload.isMeasured,
    isPaused: false,
    wasPaused: false,
    isSettled: false,
    isOver: false,
    alarm: NO_ALARM,
    sent: undefined,
  };
  // of most requests nothing else is ever set, and timers of one length are cheap
  if (isWhole && deadlineAt === NEVER) attempt.alarm = after(patienceMs, ring);
  else setAlarm(attempt, ring);
  if (!isWhole)
    upload.onWhole(() => {
      attempt.wholeAt = now();
      if (!attempt.isOver && attempt.beganAt === NEVER) setAlarm(attempt, ring);
    });
  attempt.sent = client.send(withTimeLeft(upload.message, deadlineAt, startedAt), {
    reached: () => {
      attempt.isReached = true;
      fleet.reached(slot);
    },
    head: (head) => {
      attempt.beganAt = attempt.movedAt = now();
      attempt.streamAt = attempt.beganAt + STREAM_AFTER_MS;
      attempt.isMeasured = head.length !== undefined;
      events.head(of, head);
    },
    data: (piece) => {
      attempt.movedAt = now();
      if (events.data(of, piece)) return;
      attempt.isPaused = attempt.wasPaused = true;
      attempt.sent?.pause();
    },
    flush: () => {
      const flushed = events.flush(of);
      if (attempt.isOver) return flushed;
      if (flushed === "full" && !attempt.isPaused) {
        attempt.isPaused = attempt.wasPaused = true;
        attempt.sent?.pause();
      }
      if (attempt.isSettled || attempt.beganAt === NEVER) return flushed;
      attempt.isSettled = true;
      setAlarm(attempt, ring);
      return flushed;
    },
    end: (trailers, outcome) => events.end(of, trailers, outcome),
    failed: (kind, reason) => {
      if (attempt.isOver) return;
      if (kind === "unreachable") fleet.missed(slot);
      events.failed(of, kind, reason);
    },
  });
  return attempt;
};

/** The client takes more. */
export const resumeAttempt = (attempt: Attempt): void => {
  if (!attempt.isPaused) return;
  attempt.isPaused = false;
  attempt.movedAt = attempt.now();
  attempt.sent?.resume();
};

/** Gives the place back; nothing more is heard of it. */
export const closeAttempt = (attempt: Attempt): void => {
  if (attempt.isOver) return;
  attempt.isOver = true;
  attempt.alarm.close();
  attempt.sent?.abort();
  attempt.fleet.give(attempt.slot);
};

const lastMove = ({ movedAt, upload }: Attempt): number => Math.max(movedAt, upload.movedAt());

/** When something is to happen next, and what. */
const next = (attempt: Attempt): { at: number; what: Cut | "stream" } => {
  const { beganAt, deadlineAt, idleMs, patienceMs, slot, streamAt, wholeAt } = attempt;
  const isAsking = beganAt === NEVER && wholeAt !== NEVER;
  let first: { at: number; what: Cut | "stream" } = isAsking
    ? { at: wholeAt + patienceMs, what: "late" }
    : { at: lastMove(attempt) + idleMs, what: "idle" };
  if (!isAsking && !slot.isStream && streamAt < first.at) first = { at: streamAt, what: "stream" };
  return deadlineAt < first.at ? { at: deadlineAt, what: "deadline" } : first;
};

const setAlarm = (attempt: Attempt, ring: () => void): void => {
  attempt.alarm.close();
  attempt.alarm = attempt.after(Math.max(0, Math.ceil(next(attempt).at - attempt.now())), ring);
};

const onAlarm = <T>(attempt: Attempt, events: AttemptEvents<T>, of: T, ring: () => void): void => {
  if (attempt.isOver) return;
  const { at, what } = next(attempt);
  const now = attempt.now();
  // a timer may come a little early, and things may have moved since
  if (at > now) setAlarm(attempt, ring);
  else if (what === "late" && !attempt.isReached) {
    attempt.fleet.missed(attempt.slot);
    events.failed(of, "unreachable", "no connection in time");
  } else if (what !== "stream") events.cut(of, what);
  else if (events.toStream(of)) setAlarm(attempt, ring);
  else if (attempt.isMeasured && !attempt.isPaused && now - lastMove(attempt) < STREAM_AFTER_MS) {
    attempt.streamAt = now + STREAM_AFTER_MS;
    setAlarm(attempt, ring);
  } else events.cut(of, "crowded");
};
