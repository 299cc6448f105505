/** A request that a pod has: what its answer, or the want of one, leads to, and what is counted. */

import { firstFieldOf } from "../transport/http/fields.ts";
import { type AttemptEvents, type Cut, closeAttempt, resumeAttempt, startAttempt } from "./attempt.ts";
import { type Outcome, outcomeOf, type TransportFailure } from "./counters.ts";
import { cutShort } from "./cut-short.ts";
import { hasPassed } from "./deadline.ts";
import type { LivePod } from "./fleet.ts";
import { type Asked, CHOOSING, DEADLINE_PASSED, type Life, type Moves, OVER, stableOf } from "./life.ts";
import type { AnswerHead, Fields } from "./message.ts";
import { afterOutcome, type Outcome as Ending, isRefusal } from "./replay.ts";
import type { Route } from "./table.ts";
import { countEnded, countRefusal, countUnanswered, forget, judgeRefusal } from "./tally.ts";

/** At least, of an answer that its client takes slowly, in bytes: two of the places that it is read to (`upstream/read-rooms.ts`). */
const HELD_BYTES = 128 * 1024;

export const REVISION_FIELD = "x-berth-revision";

/** @param patienceMs to the first byte of an answer */
export const askPod = (life: Life, moves: Moves, route: Route, pod: LivePod, patienceMs: number): void => {
  const { client, deadlineAt, port, upload, wish } = life;
  const { after, fleet, now } = port;
  const arm = fleet.arm(route.revision);
  const tooMany = wish.isStream ? port.streams.take(client, fleet.streamSlots(arm)) : undefined;
  if (tooMany !== undefined) {
    moves.refuse(life, 429, tooMany, "forNow");
    return;
  }
  wish.not.add(pod);
  const slot = fleet.take(arm, pod, wish);
  const asked: Asked = {
    life,
    moves,
    route,
    slot,
    patienceMs,
    seconds: undefined,
    capture: undefined,
    attempt: undefined,
  };
  const idleMs = port.idleMs();
  const options = { client: pod.client, fleet, slot, upload, patienceMs, idleMs, deadlineAt, now, after };
  asked.attempt = startAttempt(options, EVENTS, asked);
  life.state = { kind: "asked", asked };
};

/** The client has left. */
export const leavePod = (asked: Asked): void => close(asked, "gone");

export const resumePod = ({ attempt }: Asked): void => {
  if (attempt !== undefined) resumeAttempt(attempt);
};

const passHead = (asked: Asked, head: AnswerHead): void => {
  const { life, route } = asked;
  const { port, reply, tally } = life;
  const mayBeFault = head.outcome >= 400 && !isOwnDeadline(life, head.outcome);
  if (mayBeFault && settle(asked, { kind: "answered", status: head.outcome })) return;
  if (isEventStream(head) && !toStream(asked)) {
    cut(asked, "crowded");
    return;
  }
  life.state = { kind: "answered", asked };
  asked.seconds = secondsOf(asked);
  judgeRefusal(tally, head.outcome);
  if (tally.isEvidence && route.role === "stable") asked.capture = port.answered(life.message);
  asked.capture?.head(head);
  const { hasBody, length, outcome, status } = head;
  reply.head({ status, fields: [...own(head.fields), REVISION_FIELD, route.revision], length, hasBody, outcome });
};

/** The router alone knows which revision it has asked: a pod's word for it would be a second one. */
const own = (fields: Fields): Fields =>
  firstFieldOf(fields, REVISION_FIELD) === undefined
    ? fields
    : fields.filter((_, i) => fields[i - (i % 2)] !== REVISION_FIELD);

/** Since the pod was asked. */
const secondsOf = ({ attempt, life }: Asked): number => (life.port.now() - (attempt?.startedAt ?? 0)) / 1000;

/** Ends the try. It is counted as what it has come to; undefined: for nothing. */
const close = ({ attempt, capture, life, seconds, slot }: Asked, outcome: Outcome | undefined): void => {
  life.state = CHOOSING;
  if (outcome !== "ok" && outcome !== "clientError") capture?.dropped();
  if (outcome !== undefined) countEnded(life.tally, slot.arm, slot.pod, outcome, seconds);
  if (slot.isStream) life.port.streams.give(life.client);
  if (attempt?.wasPaused === true) life.port.freed(HELD_BYTES);
  if (attempt !== undefined) closeAttempt(attempt);
};

/** The client has a part of the answer, and cannot have the rest. */
const stop = (asked: Asked, outcome: Outcome, status: number, error: string): void => {
  const { life } = asked;
  close(asked, outcome);
  life.state = OVER;
  cutShort(life.reply, life.message, status, error);
};

/** The try has come to something before any byte of an answer was passed on. False: the answer is passed on. */
const settle = (asked: Asked, ending: Ending, reason = ""): boolean => {
  const { life, moves, route, slot } = asked;
  const { isReplayable, isSafe, missed, pinned, tally, upload, wasRepeated } = life;
  const { arm, pod } = slot;
  const next = afterOutcome({ role: route.role, isReplayable, isSafe, missed, pinned, wasRepeated }, ending);
  const stable = next.kind === "again" && next.on === "stable" ? stableOf(life) : undefined;
  if (next.kind === "pass" || (ending.kind === "answered" && stable === undefined)) return false;
  const isLost = next.kind === "fail" || (!isReplayable && upload.isTaken());
  if (ending.kind === "invalid") forget(tally);
  if (ending.kind === "answered" && isRefusal(ending.status)) countRefusal(tally, pod, secondsOf(asked));
  close(asked, outcomeBefore(ending, isLost || stable !== undefined));
  if (isTransportFailure(ending.kind)) arm.counters.transport[ending.kind]++;
  if (isUnasked(ending) && (isLost || stable !== undefined)) countUnanswered(tally, arm);
  if (stable !== undefined && ending.kind !== "unreachable") life.hadIt = arm;
  if (stable !== undefined) moves.replayOn(life, arm, stable);
  else if (isLost) moves.refuse(life, next.kind === "fail" ? next.status : 502, whyOf(asked, ending, reason));
  else if (next.kind === "hold") moves.hold(life, route, arm);
  else {
    noteAgain(asked, ending);
    moves.tryOn(life, route);
  }
  return true;
};

const noteAgain = ({ life, slot }: Asked, ending: Ending): void => {
  if (ending.kind === "unreachable") life.missed++;
  else {
    life.wasRepeated = true;
    // it is there, and may take it on another connection
    life.wish.not.delete(slot.pod);
  }
};

/** It is ended here, whatever the pod does. */
const cut = (asked: Asked, why: Cut): void => {
  const { life, moves, slot } = asked;
  const idle = `no byte arrived for ${Math.round(life.port.idleMs() / 1000)} s`;
  const crowded = `too many streams are open to the pods of ${slot.arm.revision}, or from this client`;
  if (why === "late") settle(asked, { kind: "late" });
  else if (life.state.kind === "answered") {
    if (why === "idle") stop(asked, silenceOf(asked), 503, idle);
    else if (why === "deadline") stop(asked, "gone", 504, DEADLINE_PASSED);
    else stop(asked, "gone", 429, crowded);
  } else {
    forget(life.tally);
    close(asked, "gone");
    if (why === "crowded") moves.refuse(life, 429, crowded, "forNow");
    else if (why === "deadline") moves.refuse(life, 504, DEADLINE_PASSED);
    else moves.refuse(life, 408, idle);
  }
};

/** Whose it is: the client's where it does not read, the pod's where it had said how much is to come, and else nobody's. */
const silenceOf = ({ attempt }: Asked): Outcome => {
  if (attempt?.isPaused === true) return "gone";
  return attempt?.isMeasured === true ? "broken" : "idle";
};

const toStream = ({ life, slot }: Asked): boolean => {
  const { client, port } = life;
  if (slot.isStream) return true;
  if (port.streams.take(client, port.fleet.streamSlots(slot.arm)) !== undefined) return false;
  if (port.fleet.toStream(slot)) return true;
  port.streams.give(client);
  return false;
};

/** The client's own time is over: that is no fault of the pod. */
const isOwnDeadline = ({ deadlineAt, port }: Life, outcome: number): boolean =>
  outcome === 504 && hasPassed(deadlineAt, port.now());

const EVENTS: AttemptEvents<Asked> = {
  head: passHead,
  data: ({ capture, life }, piece) => {
    capture?.data(piece);
    return life.reply.data(piece);
  },
  flush: ({ capture, life }) => {
    const flushed = life.reply.flush();
    return capture === undefined ? flushed : "kept";
  },
  end: (asked, trailers, outcome) => {
    const { capture, life } = asked;
    close(asked, isOwnDeadline(life, outcome) ? "gone" : outcomeOf(outcome));
    life.state = OVER;
    life.reply.end(trailers);
    capture?.end(trailers, outcome);
  },
  failed: (asked, kind, reason) => {
    const { life, slot } = asked;
    if (life.state.kind !== "answered") settle(asked, { kind }, reason);
    else stop(asked, "broken", 502, `the connection to pod ${slot.pod.place.name} ended`);
  },
  cut,
  toStream,
};

const isTransportFailure = (kind: Ending["kind"]): kind is TransportFailure =>
  kind === "unreachable" || kind === "unseen" || kind === "stale";

/** No pod has begun with it. */
const isUnasked = ({ kind }: Ending): boolean => kind === "unreachable" || kind === "unseen";

const isEventStream = ({ fields, length }: AnswerHead): boolean =>
  length === undefined && firstFieldOf(fields, "content-type")?.startsWith("text/event-stream") === true;

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

const whyOf = ({ patienceMs, slot }: Asked, { kind }: Ending, reason: string): string => {
  const { name } = slot.pod.place;
  switch (kind) {
    case "late":
      return `pod ${name} sent no answer within ${Math.round(patienceMs)} ms`;
    case "unreachable":
      return `pod ${name} cannot be reached`;
    case "unseen":
      return `pod ${name} closed the connection before it read the request`;
    case "invalid":
      return `this request cannot be sent to a pod: ${reason}`;
    default:
      return `the connection to pod ${name} ended before the answer`;
  }
};
