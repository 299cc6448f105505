/**
 * The loop that scales: once a second for each ModelDeployment whose number of pods follows the load, and at once where a request waits and
 * there is no pod. It decides and remembers; the reconciler writes what was decided, and is told when that changes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { inSlices } from "../../domain/placement/slices.ts";
import type { Scale, Scaler, Subject } from "../../domain/scaling/scale.ts";
import { fullNameOf, type ObjectKey } from "../../platform/kube/objects.ts";
import { grant } from "./devices.ts";
import { createEars } from "./ears.ts";
import { type Entry, newEntry, takeSubject } from "./entry.ts";
import { considerAll, wantsMore } from "./look.ts";
import { countPods } from "./pods.ts";
import { publishAll } from "./publish.ts";
import type { ScalerOptions, ScalerState } from "./state.ts";
import { createTally } from "./tally.ts";

const EVERY_MS = 1000;
/** A router that was not there for so long is forgotten, with what it has counted. */
const FORGET_ROUTER_MS = 300_000;

export const createScaler = (options: ScalerOptions): Scaler => {
  const tally = createTally();
  const ears = createEars(options.hear, {
    line(namespace, router, line) {
      for (const name of tally.hear(namespace, router, line).waiting) wake(state, `${namespace}/${name}`);
    },
    lost: (router) => tally.lose(router),
  });
  const state: ScalerState = {
    ...{ options, tally, ears, entries: new Map(), routersSeen: new Map(), surveyed: undefined },
  };
  return {
    tick: (signal) => tick(state, signal),
    look: (key, subject, now) => (subject === undefined ? forget(state, key) : take(state, key, subject, now)),
    run: (signal) => run(state, signal),
  };
};

const run = async (state: ScalerState, signal: AbortSignal): Promise<void> => {
  const { clock, failed } = state.options;
  while (!signal.aborted) {
    await tick(state, signal).catch((error: unknown) => failed(error, undefined));
    // the signal ends the wait
    await sleep(EVERY_MS - (clock() % EVERY_MS), undefined, { signal }).catch(() => undefined);
  }
};

const tick = async (state: ScalerState, signal: AbortSignal): Promise<void> => {
  const { ears, entries, options } = state;
  const namespaces = new Set([...entries.values()].map(({ key }) => key.namespace));
  const routers = options.routersOf(namespaces);
  ears.listenTo(routers, signal);
  forgetRouters(state, routers, options.clock());
  await step(state, [...entries.values()], options.clock());
};

const forgetRouters = (
  { routersSeen, tally }: ScalerState,
  routers: readonly { address: string }[],
  now: number,
): void => {
  for (const { address } of routers) routersSeen.set(address, now);
  for (const [address, at] of routersSeen) {
    if (now - at < FORGET_ROUTER_MS) continue;
    routersSeen.delete(address);
    tally.drop(address);
  }
};

/** Nobody waits for a second where a request waits and nothing serves. */
const wake = (state: ScalerState, name: string): void => {
  const { clock, failed } = state.options;
  const entry = state.entries.get(name);
  if (entry === undefined || countReady(state, entry) > 0) return;
  step(state, [entry], clock()).catch((error: unknown) => failed(error, entry.key));
};

const countReady = ({ options }: ScalerState, { key, subject }: Entry): number =>
  subject.revisions.reduce((sum, revision) => sum + countPods(options.podsOf(key), revision, 0).ready, 0);

const step = async (state: ScalerState, chosen: readonly Entry[], now: number): Promise<void> => {
  const { entries, options } = state;
  const looks = await inSlices(considerAll(state, chosen, now));
  const isBounded = looks.some((look) => wantsMore(state, look)) && !options.nodesCome();
  if (isBounded) state.surveyed = (await options.survey(now)) ?? state.surveyed;
  else state.surveyed = undefined;
  const seen = state.surveyed;
  for (const { decision, entry } of looks) entry.desired = decision.wanted;
  // also where one alone is looked at: whoever waits for the same device may come before it
  const allocation = seen && (await inSlices(grant([...entries.values()], seen)));
  await inSlices(publishAll(state, looks, seen, allocation, now));
};

/** Its number of pods does not follow the load any more. */
const forget = ({ entries, options, tally }: ScalerState, key: ObjectKey): undefined => {
  const name = fullNameOf(key);
  if (entries.has(name)) options.report(key, undefined, 0);
  entries.delete(name);
  tally.forget(key.namespace, key.name);
  return undefined;
};

const take = ({ entries }: ScalerState, key: ObjectKey, subject: Subject, now: number): Scale => {
  const name = fullNameOf(key);
  const known = entries.get(name);
  const entry = known ?? newEntry(key, subject, now);
  if (known === undefined) entries.set(name, entry);
  takeSubject(entry, subject, now);
  return entry.scale;
};
