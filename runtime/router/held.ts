/** A request that waits for a pod. */
import type { Arm } from "./fleet.ts";
import { CHOOSING, DEADLINE_PASSED, type Life, type Moves } from "./life.ts";
import type { Route } from "./table.ts";
import { countUnanswered, forget } from "./tally.ts";

export const holdRequest = (life: Life, moves: Moves, route: Route, arm: Arm): void => {
  const { deadlineAt, message, pinned, port, tally } = life;
  const { body, protocol } = message;
  const { counters, revision, room } = arm;
  const since = port.now();
  // whoever has failed on each pod there is may try them again, a little later
  life.wish.not.clear();
  life.missed = 0;

  const left = (): void => {
    alarm?.close();
    counters.heldSeconds += (port.now() - since) / 1000;
    life.state = CHOOSING;
  };
  const go = (): void => {
    left();
    // the table may be another one by now
    if (port.table()?.routes.some((one) => one.revision === revision)) moves.tryOn(life, route);
    else moves.begin(life);
  };
  const expire = (): void => {
    left();
    counters.refused++;
    countUnanswered(tally, arm);
    const why = port.shortage();
    const told = why === undefined ? "" : ` (${why})`;
    moves.refuse(life, 503, `no pod of ${revision} was free or ready in time${told}`, "forNow");
  };
  const lane = pinned === undefined ? protocol : (`${protocol}-pinned` as const);
  const ticket = room.enter({ lane, bytes: body.kind === "whole" ? body.bytes : 0, go, expire }, life.place);
  if (typeof ticket === "string") {
    counters.refused++;
    const what = ticket === "requests" ? "too many requests wait" : "too many bytes of requests wait";
    moves.refuse(life, 503, `${what} for a pod of ${revision}`, "forNow");
    return;
  }
  const leave = (): void => {
    ticket.withdraw();
    left();
  };
  const passed = (): void => {
    leave();
    forget(tally);
    moves.refuse(life, 504, DEADLINE_PASSED);
  };
  const alarm = Number.isFinite(deadlineAt)
    ? port.after(Math.max(0, Math.ceil(deadlineAt - since)), passed)
    : undefined;
  if (life.place === undefined) counters.held++;
  life.place = ticket.place;
  tally.wasHeld = true;
  life.state = { kind: "held", leave };
  port.wanted(arm);
  port.fleet.lookLater(arm);
};
