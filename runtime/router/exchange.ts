/** The life of one request: which revision, which pod, perhaps a wait, perhaps another try, and what is counted. */
import { leastOutstanding } from "./balance.ts";
import { countEvidence, countOutcome, type Outcome, outcomeOf, quantileMs } from "./counters.ts";
import { countArrival, isProbe } from "./demand.ts";
import type { Arm, Fleet, LivePod } from "./fleet.ts";
import {
  type AnswerHead,
  type Exchange,
  type Fields,
  fieldOf,
  type Message,
  type Reply,
  type Sent,
} from "./message.ts";
import { answerProbe } from "./probe.ts";
import { refuseWith } from "./refuse.ts";
import { afterOutcome, type Outcome as Ending, isRefusal, mayGoToStable, patienceMs } from "./replay.ts";
import { type Choice, choose } from "./split.ts";
import type { Route, Table } from "./table.ts";
import type { Ticket } from "./waiting-room.ts";

export const REVISION_FIELD = "x-berth-revision";

/** What all requests of one ModelDeployment have in common. */
export type Port = {
  model: string;
  table(): Table | undefined;
  fleet: Fleet;
  /** `spec.server.requestTimeout`, in milliseconds; it starts when a hold ends. */
  timeoutMs(): number;
  /** Requests under way on one pod. */
  cap: number;
  now(): number;
  /** In [0, 1). */
  random(): number;
  /** It has no pods while nobody asks for it; what comes then is held until there are some. */
  wakes(): boolean;
  /** Why there are no more pods, where that is known. */
  shortage(): string | undefined;
  /** A revision has no pod that is ready, and somebody waits for one. */
  wanted(arm: Arm): void;
  /** Stable has answered a request that counts: it may be asked again, of the canary, for comparison. */
  answered(message: Message): Capture | undefined;
};

/** Takes a copy of an answer on its way to the client. */
export type Capture = {
  head(head: AnswerHead): void;
  data(piece: Buffer): void;
  /** It is whole. */
  end(trailers: Fields): void;
  /** It does not come to an end. */
  dropped(): void;
};

/** Below this, a p99 is a guess. */
const LEAST_FOR_P99 = 200;
/** A pod that could not be reached is about to leave the endpoints, or comes back soon. */
const AVOID_MS = 1000;
/** All pods there are could not be reached: one that is gone is out of the endpoints soon, and one that was restarted is back. */
const TRY_AGAIN_MS = 200;
/** Who is turned away for want of a pod may come back then, in seconds. */
const RETRY_AFTER_SECONDS = 1;

/** A try on a pod. */
type Attempt = { sent: Sent | undefined; leave(outcome: Outcome): void; resume(): void };

export const startExchange = (port: Port, message: Message, reply: Reply): Exchange => {
  const { fleet, now } = port;
  const { body } = message;
  const pinned = fieldOf(message.fields, REVISION_FIELD);
  const request = { pinned, isReplayable: body.kind === "whole" };
  const tried = new Set<LivePod>();
  let tries = 0;
  let isReplay = false;
  let wasHeld = false;
  let heldSince: number | undefined;
  let over = false;
  let ticket: Ticket | undefined;
  let current: Attempt | undefined;
  /** The canary has refused it: whether that was the canary's fault is known by what stable says. Called once. */
  let blame: ((status: number) => void) | undefined;

  const judgeRefusal = (status: number): void => {
    blame?.(status);
    blame = undefined;
  };

  const refuse = (status: number, error: string, retryAfter?: number): void => {
    if (over) return;
    over = true;
    judgeRefusal(status);
    refuseWith(reply, message, { status, error, retryAfter });
  };

  const begin = (): void => {
    const table = port.table();
    if (table === undefined) {
      refuse(503, `the router has no routes for ${port.model} yet; try again`, RETRY_AFTER_SECONDS);
      return;
    }
    const choice = choose(table, request, port.random());
    if (choice === undefined) {
      const revisions = table.routes.map(({ revision }) => revision).join(", ");
      refuse(
        404,
        `${REVISION_FIELD}: ${port.model} has no revision "${pinned?.slice(0, 100)}" now; it has ${revisions}`,
      );
      return;
    }
    if (!isProbe(message)) countArrival(fleet.arm(choice.route.revision).demand, now());
    tryOn(choice);
  };

  const stableOf = (): Route | undefined => port.table()?.routes.find(({ role }) => role === "stable");

  /** Who answers where this route fails, with nothing of it seen by the client. */
  const substituteFor = ({ role }: Route): Route | undefined =>
    mayGoToStable({ ...request, role }) ? stableOf() : undefined;

  const tryOn = (choice: Choice): void => {
    const arm = fleet.arm(choice.route.revision);
    const pod = pickPod(arm);
    if (pod !== undefined) {
      send(choice, arm, pod);
      return;
    }
    const other = substituteFor(choice.route) ?? helperFor(choice, arm);
    if (other === undefined) {
      wait(choice, arm);
      return;
    }
    // a revision without a pod is no reason for a client to wait
    countUnanswered(choice, arm);
    replayOn(arm, other);
  };

  /** Who answers for stable while none of its pods is ready: a canary that clients' requests go to anyway, and that has one free. */
  const helperFor = ({ route }: Choice, { pods }: Arm): Route | undefined => {
    if (route.role !== "stable" || pinned !== undefined || pods.some(({ isReady }) => isReady)) return undefined;
    const canary = port.table()?.routes.find(({ role, weight }) => role === "canary" && weight > 0);
    return canary !== undefined && pickPod(fleet.arm(canary.revision)) !== undefined ? canary : undefined;
  };

  /** The revision that chance has chosen gave no answer: that is evidence, whoever else answers. */
  const countUnanswered = (choice: Choice, { counters, evidence }: Arm): void => {
    countOutcome(counters, "unreachable", undefined);
    if (choice.counts && !isReplay) countEvidence(evidence, "unreachable", undefined);
  };

  const pickPod = ({ pods }: Arm): LivePod | undefined => {
    const time = now();
    const fresh = pods.filter((pod) => !tried.has(pod));
    const steady = fresh.filter(({ avoidUntil }) => avoidUntil <= time);
    const { cap, random } = port;
    return leastOutstanding(steady, cap, random()) ?? leastOutstanding(fresh, cap, random());
  };

  const replayOn = (from: Arm, route: Route): void => {
    from.counters.replayed++;
    isReplay = true;
    tries = 0;
    tryOn({ route, counts: false });
  };

  const wait = (choice: Choice, arm: Arm): void => {
    if (isProbe(message)) {
      answerUnheld(arm);
      return;
    }
    const { counters, room } = arm;
    const since = now();
    heldSince ??= since;
    const bytes = body.kind === "whole" ? body.bytes : 0;
    const done = (): void => {
      ticket = undefined;
      counters.heldSeconds += (now() - since) / 1000;
    };
    // whoever has failed on each pod there is may try them again, a little later
    const isBarred = arm.pods.some((pod) => pod.isReady && tried.has(pod));
    tried.clear();
    tries = 0;
    const entered = room.enter(
      {
        bytes,
        go: () => {
          done();
          // the table may be another one by now
          if (port.table()?.routes.some(({ revision }) => revision === arm.revision)) tryOn(choice);
          else begin();
        },
        expire: () => {
          done();
          counters.refused++;
          countUnanswered(choice, arm);
          const why = port.shortage();
          const told = why === undefined ? "" : ` (${why})`;
          refuse(503, `no pod of ${arm.revision} was free or ready in time${told}; try again`, RETRY_AFTER_SECONDS);
        },
      },
      heldSince,
    );
    if (typeof entered === "string") {
      counters.refused++;
      const what = entered === "requests" ? "too many requests wait" : "the requests that wait are too large together";
      refuse(503, `${what} for a pod of ${arm.revision}; try again`, RETRY_AFTER_SECONDS);
      return;
    }
    if (!wasHeld) counters.held++;
    wasHeld = true;
    ticket = entered;
    port.wanted(arm);
    if (isBarred) setTimeout(() => fleet.freed(arm), TRY_AGAIN_MS).unref();
  };

  /** A probe is not held, and wakes nobody: what has gone to sleep is as good as ready. */
  const answerUnheld = ({ pods, revision }: Arm): void => {
    if (pods.length > 0 || !port.wakes()) {
      refuse(503, `no pod of ${revision} is ready`, RETRY_AFTER_SECONDS);
      return;
    }
    over = true;
    answerProbe(reply, message);
  };

  const send = (choice: Choice, arm: Arm, pod: LivePod): void => {
    const { role } = choice.route;
    tried.add(pod);
    pod.outstanding++;
    const started = now();
    let firstByte: number | undefined;
    let capture: Capture | undefined;
    let paused = false;
    let isUndecided = false;
    const counts = choice.counts && !isReplay;
    const timeoutMs = port.timeoutMs();
    const substitute = substituteFor(choice.route);
    const ms = substitute === undefined ? timeoutMs : patienceMs(timeoutMs, p99Ms(substitute));

    /** Ends this try: what it has come to is counted, and the pod is free. */
    const leave = (outcome: Outcome): void => {
      clearTimeout(timer);
      if (outcome !== "ok" && outcome !== "clientError") capture?.dropped();
      if (current === attempt) current = undefined;
      pod.outstanding--;
      const seconds = firstByte === undefined ? undefined : (firstByte - started) / 1000;
      countOutcome(arm.counters, outcome, seconds);
      if (counts && !isUndecided) countEvidence(pod.evidence, outcome, wasHeld ? undefined : seconds);
      fleet.freed(arm);
    };
    /** Stable is asked the same: if it answers, it was no fault of the request. */
    const askStableToo = (): void => {
      isUndecided = true;
      const seconds = wasHeld ? undefined : (now() - started) / 1000;
      blame = (status) => countEvidence(pod.evidence, status < 400 ? "serverError" : "clientError", seconds);
    };
    /** The try has come to something before any byte of an answer was passed on. False: it goes on with it. */
    const settle = (ending: Ending): boolean => {
      const next = afterOutcome({ ...request, role, triesBefore: tries }, ending);
      if (next.kind === "pass") return false;
      const stable = next.kind === "again" && next.on === "stable" ? stableOf() : undefined;
      if (ending.kind === "answered" && stable === undefined) return false;
      attempt.sent?.abort();
      if (counts && ending.kind === "answered" && isRefusal(ending.status)) askStableToo();
      leave(ending.kind === "answered" ? outcomeOf(ending.status) : ending.kind);
      if (over) return true;
      if (stable !== undefined) replayOn(arm, stable);
      else if (next.kind === "again" && request.isReplayable) {
        tries++;
        tryOn(choice);
      } else refuse(next.kind === "fail" ? next.status : 502, whyOf(ending, pod, ms));
      return true;
    };
    const late = (): void => {
      // it is the client that takes its time
      if (paused || (body.kind === "stream" && !body.source.isWhole())) timer.refresh();
      else if (firstByte === undefined) settle({ kind: "late" });
      else stop("broken");
    };
    /** The client has a part of the answer, and cannot have the rest. */
    const stop = (outcome: Outcome): void => {
      attempt.sent?.abort();
      leave(outcome);
      over = true;
      reply.abort();
    };

    const attempt: Attempt = {
      sent: undefined,
      leave,
      resume: () => {
        paused = false;
        attempt.sent?.resume();
      },
    };
    current = attempt;
    const timer = setTimeout(late, ms);
    attempt.sent = pod.client.send(message, {
      head: (head) => {
        const time = now();
        if (settle({ kind: "answered", status: head.outcome })) return;
        firstByte = time;
        judgeRefusal(head.outcome);
        // a stream of gRPC may be silent for as long as both want
        if (message.protocol === "grpc") clearTimeout(timer);
        if (counts && role === "stable") capture = port.answered(message);
        capture?.head(head);
        reply.head({ ...head, fields: [...head.fields, REVISION_FIELD, arm.revision] });
      },
      data: (piece) => {
        if (message.protocol === "http") timer.refresh();
        capture?.data(piece);
        if (reply.data(piece)) return;
        paused = true;
        attempt.sent?.pause();
      },
      flush: () => reply.flush(),
      end: (trailers, outcome) => {
        over = true;
        leave(outcomeOf(outcome));
        reply.end(trailers);
        capture?.end(trailers);
      },
      failed: (kind, _reason) => {
        if (kind === "unreachable") {
          pod.avoidUntil = now() + AVOID_MS;
          if (pod.asked) pod.isReady = pod.asked = false;
        }
        if (firstByte === undefined) settle({ kind });
        else stop("broken");
      },
    });
  };

  /** Of all requests that the revision has answered, whichever pod it was. */
  const p99Ms = ({ revision }: Route): number | undefined =>
    quantileMs(fleet.arm(revision).counters.buckets, 0.99, LEAST_FOR_P99);

  begin();
  return {
    gone: () => {
      if (over) return;
      over = true;
      blame = undefined;
      ticket?.withdraw();
      const attempt = current;
      attempt?.sent?.abort();
      attempt?.leave("gone");
    },
    drained: () => current?.resume(),
  };
};

const whyOf = (ending: Ending, { place }: LivePod, ms: number): string => {
  switch (ending.kind) {
    case "late":
      return `pod ${place.name} did not begin to answer within ${Math.round(ms)} ms`;
    case "unreachable":
      return `pod ${place.name} could not be reached`;
    default:
      return `the connection to pod ${place.name} ended before its answer`;
  }
};
