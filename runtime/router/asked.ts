/** A request that a pod has: what its answer, or the want of one, leads to, and what is counted. */
import { type Attempt, type AttemptEvents, type Cut, startAttempt } from "./attempt.ts";
import { type Outcome, outcomeOf, type TransportFailure } from "./counters.ts";
import { cutShort } from "./cut-short.ts";
import { hasPassed } from "./deadline.ts";
import type { Arm, LivePod, Slot } from "./fleet.ts";
import { type Capture, DEADLINE_PASSED, type Life, type Moves } from "./life.ts";
import { type AnswerHead, fieldOf } from "./message.ts";
import { afterOutcome, type Outcome as Ending, isRefusal } from "./replay.ts";
import type { Route } from "./table.ts";

export const REVISION_FIELD = "x-berth-revision";

/** The request on a pod. */
type Asked = {
  readonly life: Life;
  readonly moves: Moves;
  readonly route: Route;
  readonly arm: Arm;
  readonly pod: LivePod;
  readonly slot: Slot;
  readonly patienceMs: number;
  readonly startedAt: number;
  /** To the first byte of the answer. */
  seconds: number | undefined;
  capture: Capture | undefined;
  /** The length of the answer is known. */
  isMeasured: boolean;
  attempt: Attempt | undefined;
};

/** @param patienceMs to the first byte of an answer */
export const askPod = (life: Life, moves: Moves, route: Route, pod: LivePod, patienceMs: number): void => {
  const { client, port, wish } = life;
  const arm = port.fleet.arm(route.revision);
  const tooMany = wish.isStream ? port.streams.take(client, port.fleet.streamSlots(arm)) : undefined;
  if (tooMany !== undefined) {
    moves.refuse(429, tooMany, "forNow");
    return;
  }
  wish.not.add(pod);
  const slot = port.fleet.take(arm, pod, wish);
  const asked: Asked = {
    ...{ life, moves, route, arm, pod, slot, patienceMs, startedAt: port.now() },
    ...{ seconds: undefined, capture: undefined, isMeasured: false, attempt: undefined },
  };
  asked.attempt = startAttempt(
    {
      ...{ client: pod.client, slot, upload: life.upload, patienceMs, idleMs: port.idleMs() },
      ...{ deadlineAt: life.deadlineAt, now: port.now, after: port.after, toStream: () => toStream(asked) },
    },
    eventsOf(asked),
  );
  life.state = { kind: "asked", leave: () => close(asked, "gone") };
};

const eventsOf = (asked: Asked): AttemptEvents => {
  const { arm, life, pod } = asked;
  const { reply } = life;
  return {
    head: (head) => passHead(asked, head),
    data: (piece) => {
      asked.capture?.data(piece);
      return reply.data(piece);
    },
    flush: reply.flush,
    end: (trailers, outcome) => {
      close(asked, isOwnDeadline(life, outcome) ? "gone" : outcomeOf(outcome));
      life.state = { kind: "over" };
      reply.end(trailers);
      asked.capture?.end(trailers);
    },
    failed: (kind, reason) => {
      if (life.state.kind !== "answered") settle(asked, { kind }, reason);
      else stop(asked, "broken", 502, `the connection to pod ${pod.place.name} of ${arm.revision} ended`);
    },
    cut: (why) => cut(asked, why),
  };
};

const passHead = (asked: Asked, head: AnswerHead): void => {
  const { arm, attempt, life, route } = asked;
  const { port, reply, tally } = life;
  const mayBeFault = head.outcome >= 400 && !isOwnDeadline(life, head.outcome);
  if (mayBeFault && settle(asked, { kind: "answered", status: head.outcome })) return;
  if (isEventStream(head) && !toStream(asked)) {
    cut(asked, "crowded");
    return;
  }
  life.state = { kind: "answered", leave: () => close(asked, "gone"), resume: () => attempt?.resume() };
  asked.seconds = (port.now() - asked.startedAt) / 1000;
  asked.isMeasured = head.length !== undefined;
  tally.told(head.outcome);
  if (tally.counts() && route.role === "stable") asked.capture = port.answered(life.message);
  asked.capture?.head(head);
  reply.head({ ...head, fields: [...head.fields, REVISION_FIELD, arm.revision] });
};

/** Ends the try. It is counted as what it has come to; undefined: for nothing. */
const close = ({ arm, attempt, capture, life, pod, seconds, slot }: Asked, outcome: Outcome | undefined): void => {
  life.state = { kind: "choosing" };
  if (outcome !== "ok" && outcome !== "clientError") capture?.dropped();
  if (outcome !== undefined) life.tally.ended(arm, pod, outcome, seconds);
  if (slot.isStream) life.port.streams.give(life.client);
  attempt?.close();
};

/** The client has a part of the answer, and cannot have the rest. */
const stop = (asked: Asked, outcome: Outcome, status: number, error: string): void => {
  const { life } = asked;
  close(asked, outcome);
  life.state = { kind: "over" };
  cutShort(life.reply, life.message, status, error);
};

/** The try has come to something before any byte of an answer was passed on. False: the answer is passed on. */
const settle = (asked: Asked, ending: Ending, reason = ""): boolean => {
  const { arm, life, moves, pod, route } = asked;
  const { isReplayable, port, tally, upload } = life;
  const next = afterOutcome({ ...life, role: route.role }, ending);
  const stable = next.kind === "again" && next.on === "stable" ? moves.stable() : undefined;
  if (next.kind === "pass" || (ending.kind === "answered" && stable === undefined)) return false;
  const isLost = next.kind === "fail" || (!isReplayable && upload.isTaken());
  if (ending.kind === "invalid") tally.forget();
  if (ending.kind === "answered" && isRefusal(ending.status)) tally.refused(pod, (port.now() - asked.startedAt) / 1000);
  close(asked, outcomeBefore(ending, isLost || stable !== undefined));
  if (isTransportFailure(ending.kind)) arm.counters.transport[ending.kind]++;
  if (isUnasked(ending) && (isLost || stable !== undefined)) tally.unanswered(arm);
  if (stable !== undefined) moves.replayOn(arm, stable);
  else if (isLost) moves.refuse(next.kind === "fail" ? next.status : 502, whyOf(asked, ending, reason));
  else if (next.kind === "hold") moves.hold(route, arm);
  else {
    noteAgain(asked, ending);
    moves.tryOn(route);
  }
  return true;
};

const noteAgain = ({ life, pod }: Asked, ending: Ending): void => {
  if (ending.kind === "unreachable") life.missed++;
  else {
    life.wasRepeated = true;
    // it is there, and may take it on another connection
    life.wish.not.delete(pod);
  }
};

/** It is ended here, whatever the pod does. */
const cut = (asked: Asked, why: Cut): void => {
  const { arm, isMeasured, life, moves } = asked;
  const idle = `nothing has come for ${Math.round(life.port.idleMs() / 1000)} s`;
  const crowded = `too many streams are open on the pods of ${arm.revision}, or of this client`;
  if (why === "late") settle(asked, { kind: "late" });
  else if (life.state.kind === "answered") {
    if (why === "idle") stop(asked, isMeasured ? "broken" : "idle", 503, idle);
    else if (why === "deadline") stop(asked, "gone", 504, DEADLINE_PASSED);
    else stop(asked, "gone", 429, crowded);
  } else {
    life.tally.forget();
    close(asked, "gone");
    if (why === "crowded") moves.refuse(429, crowded, "forNow");
    else if (why === "deadline") moves.refuse(504, DEADLINE_PASSED);
    else moves.refuse(408, idle);
  }
};

const toStream = ({ arm, life, slot }: Asked): boolean => {
  const { client, port } = life;
  if (slot.isStream) return true;
  if (port.streams.take(client, port.fleet.streamSlots(arm)) !== undefined) return false;
  if (slot.toStream()) return true;
  port.streams.give(client);
  return false;
};

/** The client's own time is over: that is no fault of the pod. */
const isOwnDeadline = ({ deadlineAt, port }: Life, outcome: number): boolean =>
  outcome === 504 && hasPassed(deadlineAt, port.now());

const isTransportFailure = (kind: Ending["kind"]): kind is TransportFailure =>
  kind === "unreachable" || kind === "unseen" || kind === "stale";

/** No pod has begun with it. */
const isUnasked = ({ kind }: Ending): boolean => kind === "unreachable" || kind === "unseen";

const isEventStream = ({ fields, length }: AnswerHead): boolean =>
  length === undefined && fieldOf(fields, "content-type")?.startsWith("text/event-stream") === true;

/** What a try is counted as that came to nothing for its client; undefined: the next one tells. */
const outcomeBefore = (ending: Ending, isLast: boolean): Outcome | undefined => {
  switch (ending.kind) {
    case "answered":
      return outcomeOf(ending.status);
    case "stale":
      return isLast ? "broken" : undefined;
    case "invalid":
      return "clientError";
    case "unreachable":
    case "unseen":
      return undefined;
    default:
      return ending.kind;
  }
};

const whyOf = ({ patienceMs, pod }: Asked, { kind }: Ending, reason: string): string => {
  const { name } = pod.place;
  switch (kind) {
    case "late":
      return `pod ${name} did not begin to answer within ${Math.round(patienceMs)} ms`;
    case "unreachable":
      return `pod ${name} could not be reached`;
    case "unseen":
      return `pod ${name} did not take the request`;
    case "invalid":
      return `this request cannot be sent to a pod: ${reason}`;
    default:
      return `the connection to pod ${name} ended before its answer`;
  }
};
