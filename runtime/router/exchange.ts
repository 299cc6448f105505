/** The life of one request: which revision, which pod, perhaps a wait, perhaps another try. */

import { firstFieldOf } from "../transport/http/fields.ts";
import { askPod, leavePod, REVISION_FIELD, resumePod } from "./asked.ts";
import { quantileMs } from "./counters.ts";
import { deadlineOf } from "./deadline.ts";
import { countArrival, isProbe } from "./demand.ts";
import type { Arm, LivePod } from "./fleet.ts";
import { holdRequest } from "./held.ts";
import { CHOOSING, type Life, type Moves, OVER, type Port, stableOf } from "./life.ts";
import type { Exchange, Message, Reply } from "./message.ts";
import { answerProbe } from "./probe.ts";
import { refuseWith } from "./refuse.ts";
import { isSafe, mayGoToStable, patienceMs } from "./replay.ts";
import { choose } from "./split.ts";
import type { Client } from "./stream-slots.ts";
import type { Route } from "./table.ts";
import { countReplay, countUnanswered, createTally, forget, judgeRefusal } from "./tally.ts";
import { unsendable } from "./unsendable.ts";
import { watchUpload } from "./upload.ts";

/** Below this, a p99 is a guess. */
const LEAST_FOR_P99 = 200;
/** Who is turned away for want of a pod may come back then, in seconds. */
const RETRY_AFTER_SECONDS = 1;

export const startExchange = (port: Port, message: Message, reply: Reply, client: Client): Exchange => {
  const life = createLife(port, message, reply, client);
  const why = message.protocol === "grpc" ? unsendable(message) : undefined;
  if (why === undefined) begin(life);
  else refuse(life, 400, why);
  return {
    gone: () => {
      const { state } = life;
      if (state.kind === "over") return;
      forget(life.tally);
      if (state.kind === "held") state.leave();
      else if (state.kind !== "choosing") leavePod(state.asked);
      life.state = OVER;
    },
    drained: () => {
      if (life.state.kind === "answered") resumePod(life.state.asked);
    },
    isHeld: () => life.state.kind === "held",
  };
};

const createLife = (port: Port, message: Message, reply: Reply, client: Client): Life => {
  const { body, fields, method, protocol } = message;
  const isStream = body.kind === "stream" && body.isConversation === true;
  return {
    port,
    message,
    reply,
    client,
    pinned: firstFieldOf(fields, REVISION_FIELD),
    isReplayable: body.kind === "whole",
    isSafe: isSafe(method),
    upload: watchUpload(message, port.now),
    deadlineAt: protocol === "grpc" ? deadlineOf(message, port.now()) : Number.POSITIVE_INFINITY,
    tally: createTally(),
    wish: { protocol, isStream, not: new Set<LivePod>() },
    state: CHOOSING,
    missed: 0,
    wasRepeated: false,
    hadIt: undefined,
    place: undefined,
  };
};

const refuse: Moves["refuse"] = (life, status, error, forNow) => {
  if (life.state.kind === "over") return;
  life.state = OVER;
  judgeRefusal(life.tally, status);
  const words = forNow === undefined ? error : `${error}; try again`;
  const retryAfter = forNow === undefined ? undefined : RETRY_AFTER_SECONDS;
  refuseWith(life.reply, life.message, { status, error: words, retryAfter });
};

const replayOn: Moves["replayOn"] = (life, from, route) => {
  countReplay(life.tally, from);
  life.missed = 0;
  tryOn(life, route);
};

const begin = (life: Life): void => {
  const { message, pinned, port, tally } = life;
  const table = port.table();
  if (table === undefined) {
    refuse(life, 503, `the router has no routes for ${port.model} yet`, "forNow");
    return;
  }
  const choice = choose(table, life, port.random());
  if (choice === undefined) {
    const revisions = table.routes.map(({ revision }) => revision).join(", ");
    const asked = pinned?.slice(0, 100);
    refuse(life, 404, `${REVISION_FIELD}: ${port.model} has no revision "${asked}" now; use one of ${revisions}`);
    return;
  }
  tally.isEvidence = choice.counts;
  if (!isProbe(message)) countArrival(port.fleet.arm(choice.route.revision).demand, port.now());
  tryOn(life, choice.route);
};

const tryOn = (life: Life, route: Route): void => {
  const { isReplayable, message, pinned, port, tally, wish } = life;
  const { fleet } = port;
  const arm = fleet.arm(route.revision);
  const pod = fleet.pick(arm, wish, port.random());
  const substitute = mayGoToStable({ isReplayable, pinned, role: route.role }) ? stableOf(life) : undefined;
  if (pod !== undefined) {
    askPod(life, MOVES, route, pod, patienceFor(port, substitute));
    return;
  }
  const other = substitute ?? helperFor(life, route, arm);
  if (other !== undefined) {
    // a revision without a pod is no reason for a client to wait
    countUnanswered(tally, arm);
    replayOn(life, arm, other);
  } else if (wish.isStream && fleet.pick(arm, { ...wish, isStream: false }, 0) !== undefined)
    refuse(life, 503, `all ${fleet.streamSlots(arm)} streams of the pods of ${arm.revision} are open`, "forNow");
  else if (isProbe(message)) answerUnheld(life, arm);
  else hold(life, route, arm);
};

/** Who answers for stable while none of its pods is ready: a canary that clients' requests go to anyway, and that has one free. */
const helperFor = ({ pinned, port, hadIt, wish }: Life, { role }: Route, { pods }: Arm): Route | undefined => {
  if (role !== "stable" || pinned !== undefined || pods.some(({ isReady }) => isReady)) return undefined;
  const canary = port.table()?.routes.find(({ role, weight }) => role === "canary" && weight > 0);
  if (canary === undefined) return undefined;
  const arm = port.fleet.arm(canary.revision);
  return arm === hadIt || port.fleet.pick(arm, wish, 0) === undefined ? undefined : canary;
};

/** Time is left for stable, where that may answer in another's place. */
const patienceFor = ({ fleet, timeoutMs }: Port, substitute: Route | undefined): number => {
  if (substitute === undefined) return timeoutMs();
  // of all requests that the revision has answered, whichever pod it was
  const { buckets } = fleet.arm(substitute.revision).counters;
  return patienceMs(timeoutMs(), quantileMs(buckets, 0.99, LEAST_FOR_P99));
};

/** A probe is not held, and wakes nobody: what has gone to sleep is as good as ready. */
const answerUnheld = (life: Life, { pods, revision }: Arm): void => {
  if (pods.length > 0 || !life.port.wakes()) {
    refuse(life, 503, `no pod of ${revision} is ready`, "forNow");
    return;
  }
  life.state = OVER;
  answerProbe(life.reply, life.message);
};

const hold: Moves["hold"] = (life, route, arm) => holdRequest(life, MOVES, route, arm);

const MOVES: Moves = { begin, tryOn, replayOn, hold, refuse };
