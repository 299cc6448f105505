/**
 * What the operator scales by: lines of JSON over one connection that stays open, once a second where something has happened, and at once
 * where a request waits for a revision without a pod. Counters only grow, so that a line that is lost is no loss.
 */
import type { ServerResponse } from "node:http";
import { after as afterMs } from "../server/after.ts";
import { takeCrowd } from "./demand.ts";
import type { Arm } from "./fleet.ts";
import type { NamespaceRouter } from "./namespace-router.ts";

/** Of one revision; `crowd`: the most requests that came within a tenth of a second since the last line of a whole second. */
export type ArmSignals = { arrived: number; crowd: number; waiting: number; inFlight: number };

export type SignalsLine = {
  /** Changes with each start of the router, and with it the counters begin at 0. RFC 3339. */
  started: string;
  /** Those of which there is news, by revision; with the first line of a connection, all. */
  models: Record<string, Record<string, ArmSignals>>;
};

export type Signals = {
  /** Answers with lines until the client leaves. */
  stream(response: ServerResponse): void;
  /** A request of the model has to wait. */
  waits(model: string, arm: Arm): void;
  close(): void;
};

const EVERY_MS = 1000;
/** Lines without news, so that both sides know that the other is there. */
const BEAT_EVERY = 5;
/** More requests of a crowd are there by then: it is told twice. */
export const CROWD_MS = 100;
/** The leader's, and for a moment that of the one before it. */
const MOST_STREAMS = 4;

export const createSignals = (router: NamespaceRouter, started: string, after = afterMs): Signals => {
  const streams = new Set<ServerResponse>();
  /** What was last told of each model, to know news. */
  const told = new Map<string, string>();
  const pushed = new Map<string, { close(): void }>();
  let beats = 0;

  const armsOf = (name: string, crowdOf: (arm: Arm) => number): Record<string, ArmSignals> =>
    Object.fromEntries(
      (router.served().get(name)?.router.fleet.arms() ?? []).map((arm) => [
        arm.revision,
        {
          ...{ arrived: arm.demand.arrived, crowd: crowdOf(arm), waiting: arm.room.size() },
          inFlight: arm.pods.reduce((sum, { outstanding }) => sum + outstanding, 0),
        },
      ]),
    );
  const write = (stream: ServerResponse, models: SignalsLine["models"]): void => {
    // whoever is behind hears of it with the next line
    if (!stream.writableNeedDrain) stream.write(`${JSON.stringify({ started, models } satisfies SignalsLine)}\n`);
  };
  const tell = (): void => {
    const models: SignalsLine["models"] = {};
    for (const name of router.served().keys()) {
      const arms = armsOf(name, ({ demand }) => takeCrowd(demand));
      const text = JSON.stringify(
        Object.values(arms).map(({ arrived, inFlight, waiting }) => [arrived, inFlight, waiting]),
      );
      const isQuiet = Object.values(arms).every(({ inFlight, waiting }) => inFlight === 0 && waiting === 0);
      if (isQuiet && told.get(name) === text) continue;
      told.set(name, text);
      models[name] = arms;
    }
    beats = Object.keys(models).length > 0 ? 0 : beats + 1;
    if (beats % BEAT_EVERY === 0) for (const stream of streams) write(stream, models);
  };
  const timer = after(EVERY_MS, () => {
    timer.refresh();
    if (streams.size > 0) tell();
  });
  const push = (model: string): void => {
    const arms = armsOf(model, ({ demand }) => demand.crowd);
    for (const stream of streams) write(stream, { [model]: arms });
  };

  return {
    stream(response) {
      if (streams.size >= MOST_STREAMS) {
        response.writeHead(503, { "retry-after": "5" }).end("others listen already\n");
        return;
      }
      response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
      streams.add(response);
      response.on("close", () => streams.delete(response));
      response.on("error", () => streams.delete(response));
      const all = [...router.served().keys()].map(
        (name) => [name, armsOf(name, ({ demand }) => demand.crowd)] as const,
      );
      write(response, Object.fromEntries(all));
    },
    waits(model, arm) {
      if (pushed.has(model) || streams.size === 0 || arm.pods.some(({ isReady }) => isReady)) return;
      push(model);
      const again = after(CROWD_MS, () => {
        push(model);
        pushed.set(
          model,
          after(EVERY_MS, () => pushed.delete(model)),
        );
      });
      pushed.set(model, again);
    },
    close() {
      timer.close();
      for (const one of pushed.values()) one.close();
      for (const stream of streams) stream.destroy();
    },
  };
};
