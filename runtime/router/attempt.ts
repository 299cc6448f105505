/** A try of a request on one pod: the place that it takes there, its times, and the answer as it comes. */
import type { After } from "../server/after.ts";
import { withTimeLeft } from "./deadline.ts";
import type { PodClient, Slot } from "./fleet.ts";
import type { AnswerHead, Failure, Fields, Sent } from "./message.ts";
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

export type AttemptOptions = {
  client: PodClient;
  slot: Slot;
  upload: Upload;
  /** To the first byte of the answer, from when the request is whole. */
  patienceMs: number;
  idleMs: number;
  deadlineAt: number;
  now(): number;
  after: After;
  /** It takes a place among the streams. False: there is none, or its client has as many as it may have. */
  toStream(): boolean;
};

export type AttemptEvents = {
  head(head: AnswerHead): void;
  data(piece: Buffer): boolean;
  flush(): void;
  end(trailers: Fields, outcome: number): void;
  failed(kind: Failure, reason: string): void;
  cut(why: Cut): void;
};

export type Attempt = {
  /** The client takes more. */
  resume(): void;
  /** Gives the place back; nothing more is heard of it. */
  close(): void;
};

/** What takes longer, and is not the pod's work (a body that comes slowly, an answer that goes on), is a stream. */
const STREAM_AFTER_MS = 1000;

export const startAttempt = (options: AttemptOptions, events: AttemptEvents): Attempt => {
  const { client, deadlineAt, idleMs, now, patienceMs, slot, upload } = options;
  const startedAt = now();
  let wholeAt = upload.isWhole() ? startedAt : Number.POSITIVE_INFINITY;
  /** Of the answer. */
  let beganAt: number | undefined;
  let movedAt = startedAt;
  let streamAt = startedAt + STREAM_AFTER_MS;
  /** How much there is to come is known: it ends by itself, as long as it moves. */
  let isMeasured = upload.isMeasured;
  let paused = false;
  /** The clock is set for an answer that goes on. */
  let isSettled = false;
  let over = false;

  const close = (): void => {
    if (over) return;
    over = true;
    alarm.close();
    slot.give();
  };
  const lastMove = (): number => Math.max(movedAt, upload.movedAt());
  /** What is to happen next, and when. */
  const next = (): { at: number; what: Cut | "stream" } => {
    let first: { at: number; what: Cut | "stream" } = { at: deadlineAt, what: "deadline" };
    const consider = (at: number, what: Cut | "stream"): void => {
      if (at < first.at) first = { at, what };
    };
    const isAsking = beganAt === undefined && wholeAt !== Number.POSITIVE_INFINITY;
    if (isAsking) consider(wholeAt + patienceMs, "late");
    else {
      consider(lastMove() + idleMs, "idle");
      if (!slot.isStream) consider(streamAt, "stream");
    }
    return first;
  };
  const set = (): void => {
    alarm.close();
    alarm = options.after(Math.max(0, Math.ceil(next().at - now())), ring);
  };
  const ring = (): void => {
    if (over) return;
    const { at, what } = next();
    // a timer may come a little early, and things may have moved since
    if (at > now()) set();
    else if (what !== "stream") events.cut(what);
    else if (options.toStream()) set();
    else if (isMeasured && !paused && now() - lastMove() < STREAM_AFTER_MS) {
      streamAt = now() + STREAM_AFTER_MS;
      set();
    } else events.cut("crowded");
  };

  // of most requests, nothing else is ever set
  let alarm = options.after(Math.max(0, Math.ceil(next().at - startedAt)), ring);
  upload.onWhole(() => {
    wholeAt = now();
    if (!over && beganAt === undefined) set();
  });
  const message = withTimeLeft(upload.message, deadlineAt, startedAt);
  const sent: Sent = client.send(message, {
    reached: slot.reached,
    head: (head) => {
      beganAt = movedAt = now();
      streamAt = beganAt + STREAM_AFTER_MS;
      isMeasured = head.length !== undefined;
      events.head(head);
    },
    data: (piece) => {
      movedAt = now();
      if (events.data(piece)) return;
      paused = true;
      sent.pause();
    },
    flush: () => {
      if (over) return;
      events.flush();
      if (isSettled || beganAt === undefined) return;
      isSettled = true;
      set();
    },
    end: (trailers, outcome) => events.end(trailers, outcome),
    failed: (kind, reason) => {
      if (over) return;
      if (kind === "unreachable") slot.missed();
      events.failed(kind, reason);
    },
  });
  return {
    resume: () => {
      if (!paused) return;
      paused = false;
      movedAt = now();
      sent.resume();
    },
    close: () => {
      if (!over) sent.abort();
      close();
    },
  };
};
