/**
 * The loop that scales: once a second for each ModelDeployment whose number of pods follows the load, and at once where a request waits and
 * there is no pod. It decides and remembers; the reconciler writes what was decided, and is told when that changes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Survey } from "../../cluster/capacity/survey.ts";
import type { Allocation } from "../../domain/placement/ledger.ts";
import { inSlices, type Sliced } from "../../domain/placement/slices.ts";
import type { Surveyed } from "../../domain/placement/surveyed.ts";
import type { Decision } from "../../domain/scaling/decide.ts";
import type { Scale, Scaler } from "../../domain/scaling/scale.ts";
import { floorAt } from "../../domain/scaling/schedule.ts";
import type { RunCurve } from "../../domain/scaling/signals.ts";
import type { ObjectKey, Pod } from "../../platform/kube/objects.ts";
import { isNews, scaleOf } from "./answer.ts";
import { consider } from "./consider.ts";
import { askCurves } from "./curves.ts";
import { grant, type Within, within } from "./devices.ts";
import { createEars, type Hear } from "./ears.ts";
import { boundsOf, type Entry, nameOf, newEntry, takeSubject } from "./entry.ts";
import { countPods } from "./pods.ts";
import { learnStarts, seenOf } from "./seen.ts";
import { createTally } from "./tally.ts";

export type ScalerOptions = {
  /** Pods with their labels, of one ModelDeployment; and the routers of a namespace that are ready. */
  podsOf(key: ObjectKey): readonly Pod[];
  routersOf(namespaces: ReadonlySet<string>): readonly { namespace: string; name: string; address: string }[];
  hear: Hear;
  askCurve(address: string): Promise<RunCurve | undefined>;
  survey: Survey;
  /** Nodes come where pods wait for them: what there is room for now is no bound. */
  nodesCome(): boolean;
  /** Milliseconds since 1970. */
  clock(): number;
  /** What was decided has changed. */
  changed(key: ObjectKey): void;
  /** Each decision, for the metrics; undefined: it is gone. */
  report(key: ObjectKey, scale: Scale | undefined, uncapped: number): void;
  /** Something was thrown over one of them, or over none in particular; the others go on. */
  failed(error: unknown, key: ObjectKey | undefined): void;
};

const EVERY_MS = 1000;
/** A router that has just come is connected to within a second. */
const DEAF_MS = 10_000;
/** ModelDeployments in one slice of a look, some tens of microseconds each; a schedule that changes takes milliseconds. */
const MOST_IN_SLICE = 25;
/** A router that was not there for so long is forgotten, with what it has counted. */
const FORGET_ROUTER_MS = 300_000;

/** What a look at one of them has decided. `look`: which of its looks that was. */
type Look = { entry: Entry; decision: Decision; look: number };

export const createScaler = (options: ScalerOptions): Scaler => {
  const { changed, clock, failed, nodesCome, podsOf, report, routersOf, survey } = options;
  const entries = new Map<string, Entry>();
  const tally = createTally();
  /** When each router was last there, by its address. */
  const routersSeen = new Map<string, number>();
  let surveyed: Surveyed | undefined;

  const ears = createEars(options.hear, {
    line(namespace, router, line) {
      for (const name of tally.hear(namespace, router, line).waiting) wake(`${namespace}/${name}`);
    },
    lost: (router) => tally.lose(router),
  });

  const isKnown = (entry: Entry): boolean => entries.get(nameOf(entry.key)) === entry;

  /** One look at one of them. */
  const lookAt = (entry: Entry, now: number): Decision => {
    const { key, subject } = entry;
    const pods = podsOf(key);
    learnStarts(entry, pods);
    const seen = seenOf(entry, pods, tally.take(key.namespace, key.name), now);
    const deaf = ears.deafTo(key.namespace);
    entry.deafSince = deaf === undefined ? undefined : (entry.deafSince ?? now);
    const hadCurve = entry.memory.curve !== undefined;
    const decision = consider(entry, seen, deaf !== undefined || !subject.isCounted, now);
    if (seen.all.inFlight > 0 || !hadCurve)
      askCurves(entry, seen.each, now, options.askCurve, (error) => failed(error, key));
    return decision;
  };

  /** Each of them, by itself: what is thrown over one is no reason for the others to wait. */
  function* considerAll(chosen: readonly Entry[], now: number): Sliced<Look[]> {
    const looks: Look[] = [];
    for (const [i, entry] of chosen.entries()) {
      if (i > 0 && i % MOST_IN_SLICE === 0) yield;
      if (!isKnown(entry)) continue;
      try {
        if (now >= entry.floor.until) {
          entry.floor = floorAt(entry.subject.wish.schedule, now);
          if (chosen.length > 1) yield;
        }
        looks.push({ entry, decision: lookAt(entry, now), look: ++entry.looks });
      } catch (error) {
        failed(error, entry.key);
      }
    }
    return looks;
  }

  const wantsMore = ({ decision, entry }: Look): boolean => {
    if (decision.wanted <= boundsOf(entry).min) return false;
    const pods = podsOf(entry.key).filter(({ spec }) => spec?.nodeName !== undefined).length;
    return decision.wanted > Math.min(pods, entry.scale.wanted);
  };

  const publish = (entry: Entry, decision: Decision, bounded: Within, now: number): void => {
    const { key, scale: before } = entry;
    const isDeaf = entry.deafSince !== undefined && now - entry.deafSince >= DEAF_MS;
    const scale = scaleOf(entry, decision, bounded, isDeaf ? ears.deafTo(key.namespace) : undefined);
    // what is wanted and cannot be had is wanted still: the memory keeps to what there will be
    entry.memory = { ...entry.memory, wanted: scale.wanted };
    report(key, scale, decision.uncapped);
    if (!isNews(scale, before)) return;
    entry.scale = scale;
    changed(key);
  };

  function* publishAll(
    looks: readonly Look[],
    seen: Surveyed | undefined,
    allocation: Allocation | undefined,
    now: number,
  ): Sliced<void> {
    for (const [i, { decision, entry, look }] of looks.entries()) {
      if (i > 0 && i % MOST_IN_SLICE === 0) yield;
      const isOutdated = () => look !== entry.looks || !isKnown(entry);
      if (isOutdated()) continue;
      try {
        const bounded = yield* within(entry, decision, seen, allocation);
        // what is missing is added up over all nodes, in slices
        if (!isOutdated()) publish(entry, decision, bounded, now);
      } catch (error) {
        failed(error, entry.key);
      }
    }
  }

  const step = async (chosen: readonly Entry[], now: number): Promise<void> => {
    const looks = await inSlices(considerAll(chosen, now));
    const isBounded = looks.some(wantsMore) && !nodesCome();
    if (isBounded) surveyed = (await survey(now)) ?? surveyed;
    else surveyed = undefined;
    const seen = surveyed;
    for (const { decision, entry } of looks) entry.desired = decision.wanted;
    // also where one alone is looked at: whoever waits for the same device may come before it
    const allocation = seen && (await inSlices(grant([...entries.values()], seen)));
    await inSlices(publishAll(looks, seen, allocation, now));
  };

  /** Nobody waits for a second where a request waits and nothing serves. */
  const wake = (name: string): void => {
    const entry = entries.get(name);
    if (entry === undefined || countReady(entry) > 0) return;
    step([entry], clock()).catch((error: unknown) => failed(error, entry.key));
  };
  const countReady = ({ key, subject }: Entry): number =>
    subject.revisions.reduce((sum, revision) => sum + countPods(podsOf(key), revision, 0).ready, 0);

  const forgetRouters = (routers: readonly { address: string }[], now: number): void => {
    for (const { address } of routers) routersSeen.set(address, now);
    for (const [address, at] of routersSeen) {
      if (now - at < FORGET_ROUTER_MS) continue;
      routersSeen.delete(address);
      tally.drop(address);
    }
  };

  const tick = async (signal: AbortSignal): Promise<void> => {
    const namespaces = new Set([...entries.values()].map(({ key }) => key.namespace));
    const routers = routersOf(namespaces);
    ears.listenTo(routers, signal);
    forgetRouters(routers, clock());
    await step([...entries.values()], clock());
  };

  return {
    tick,
    look(key, subject, now) {
      const name = nameOf(key);
      const known = entries.get(name);
      if (subject === undefined) {
        if (known !== undefined) report(key, undefined, 0);
        entries.delete(name);
        tally.forget(key.namespace, key.name);
        return undefined;
      }
      const entry = known ?? newEntry(key, subject, now);
      if (known === undefined) entries.set(name, entry);
      takeSubject(entry, subject, now);
      return entry.scale;
    },
    async run(signal) {
      while (!signal.aborted) {
        await tick(signal).catch((error: unknown) => failed(error, undefined));
        // the signal ends the wait
        await sleep(EVERY_MS - (clock() % EVERY_MS), undefined, { signal }).catch(() => undefined);
      }
    },
  };
};
