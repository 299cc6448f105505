/**
 * The loop that scales: once a second for each ModelDeployment whose number of pods follows the load, and at once where a request waits and
 * there is no pod. It decides and remembers; the reconciler writes what was decided, and is told when that changes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Survey } from "../../cluster/capacity/survey.ts";
import { fits } from "../../domain/placement/fits.ts";
import { type Allocation, allocate, type Claim, freeOf } from "../../domain/placement/ledger.ts";
import { ONE } from "../../domain/placement/request.ts";
import type { Room } from "../../domain/placement/room.ts";
import { inSlices, type Sliced } from "../../domain/placement/slices.ts";
import type { Surveyed } from "../../domain/placement/surveyed.ts";
import { type Decision, decide, type Memory, remember, type ScalingSettings } from "../../domain/scaling/decide.ts";
import type { Phases, Scale, Scaler, Subject } from "../../domain/scaling/scale.ts";
import { floorAt } from "../../domain/scaling/schedule.ts";
import { type RunCurve, SILENCE, type Signals } from "../../domain/scaling/signals.ts";
import { startSeconds, withStart } from "../../domain/scaling/start-time.ts";
import { inWords } from "../../domain/scaling/words.ts";
import type { ObjectKey, Pod } from "../../platform/kube/objects.ts";
import { createEars, type Hear } from "./ears.ts";
import { countPods, phasesOf, startOf } from "./pods.ts";
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

type Entry = {
  key: ObjectKey;
  subject: Subject;
  memory: Memory;
  /** Of the requests of the one on trial alone. */
  canary: { revision: string; memory: Memory } | undefined;
  scale: Scale;
  /** The schedule's floor, and until when (ms since 1970) it holds. */
  floor: { floor: number; until: number };
  /** Of the last start. */
  phases: Phases | undefined;
  /** Pods whose start is known, by uid. */
  started: Set<string>;
  askedAt: number;
  deafSince: number | undefined;
  /** Pods that it would have, were there devices for all. */
  desired: number;
  /** Grows with each look: what a look has decided holds only until the next one. */
  looks: number;
};

type Seen = Signals & { addresses: string[] };

const together = (one: Seen, other: Seen): Seen => ({
  arrivals: one.arrivals + other.arrivals,
  crowd: one.crowd + other.crowd,
  waiting: one.waiting + other.waiting,
  inFlight: one.inFlight + other.inFlight,
  ready: one.ready + other.ready,
  starting: [...one.starting, ...other.starting],
  addresses: [...one.addresses, ...other.addresses],
});

const EVERY_MS = 1000;
/** Servers with something to do are asked so often what their runs take. */
const ASK_MS = 5000;
/** A router that has just come is connected to within a second. */
const DEAF_MS = 10_000;
/** ModelDeployments in one slice of a look, some tens of microseconds each; a schedule that changes takes milliseconds. */
const MOST_IN_SLICE = 25;
/** A router that was not there for so long is forgotten, with what it has counted. */
const FORGET_ROUTER_MS = 300_000;

export const createScaler = (options: ScalerOptions): Scaler => {
  const { changed, clock, failed, nodesCome, podsOf, report, routersOf, survey } = options;
  const entries = new Map<string, Entry>();
  const tally = createTally();
  /** When each router was last there, by its address. */
  const routersSeen = new Map<string, number>();
  let surveyed: Surveyed | undefined;
  const nameOf = ({ name, namespace }: ObjectKey): string => `${namespace}/${name}`;

  const ears = createEars(options.hear, {
    line(namespace, router, line) {
      for (const name of tally.hear(namespace, router, line).waiting) wake(`${namespace}/${name}`);
    },
    lost: (router) => tally.lose(router),
  });

  const begin = (key: ObjectKey, subject: Subject, now: number): Entry => {
    const { learnt, replicas, wish } = subject;
    const wanted = Math.min(Math.max(replicas ?? Math.max(1, wish.min), wish.min), wish.max);
    const seconds = now / 1000;
    const memory = {
      ...remember(seconds, wanted),
      // another leader has seen a load that these were for
      needs: [{ at: seconds, pods: wanted }],
      starts: learnt === undefined ? [] : [learnt.startSeconds],
      curve: learnt?.curve,
    };
    return {
      ...{
        key,
        subject,
        memory,
        canary: undefined,
        phases: learnt?.phases,
        started: new Set(),
        askedAt: 0,
        deafSince: undefined,
        desired: wanted,
        looks: 0,
      },
      floor: floorAt(wish.schedule, now),
      scale: { wanted, canary: undefined, why: "floor", words: "", learnt, shortage: undefined, deaf: undefined },
    };
  };

  const learn = (entry: Entry, pods: readonly Pod[]): void => {
    const present = new Set<string>();
    for (const pod of pods) {
      const { uid = "" } = pod.metadata;
      if (entry.started.has(uid)) present.add(uid);
      const seconds = entry.started.has(uid) ? undefined : startOf(pod);
      if (seconds === undefined) continue;
      present.add(uid);
      entry.memory = { ...entry.memory, starts: withStart(entry.memory.starts, seconds) };
      entry.phases = phasesOf(pod);
    }
    entry.started = present;
  };

  /** What is seen of it now: of all of its revisions together, and of each. */
  const signalsOf = (entry: Entry, now: number): { all: Seen; each: Seen[] } => {
    const { key, subject } = entry;
    const pods = podsOf(key);
    learn(entry, pods);
    const sums = tally.take(key.namespace, key.name);
    const each = subject.revisions.map((revision): Seen => {
      const { addresses, ready, starting } = countPods(pods, revision, now / 1000);
      return { ...SILENCE, ...sums.get(revision), ready, starting, addresses };
    });
    return { each, all: each.reduce(together, { ...SILENCE, addresses: [] }) };
  };

  const boundsOf = ({ floor, subject }: Entry): { min: number; max: number } => {
    const { isProving, wish } = subject;
    return { min: Math.min(wish.max, Math.max(wish.min, floor.floor, isProving ? 1 : 0)), max: wish.max };
  };

  /** One look at one of them. What it wants is not bounded by devices yet. */
  const consider = (entry: Entry, now: number): Decision => {
    const { all, each } = signalsOf(entry, now);
    const deaf = ears.deafTo(entry.key.namespace);
    const isBlind = deaf !== undefined || !entry.subject.isCounted;
    entry.deafSince = deaf === undefined ? undefined : (entry.deafSince ?? now);
    const before = entry.memory;
    const settings = { ...entry.subject.wish, ...boundsOf(entry) };
    const { decision, memory } = decide(before, all, settings, now / 1000);
    // who does not hear everything takes nothing away
    entry.memory = isBlind ? { ...memory, busyAt: now / 1000, wanted: Math.max(memory.wanted, before.wanted) } : memory;
    considerCanary(entry, each[1], settings, now);
    if (all.inFlight > 0 || before.curve === undefined) askCurves(entry, each, now);
    const isLess = isBlind && decision.wanted < before.wanted;
    return isLess ? { ...decision, wanted: before.wanted, uncapped: before.wanted } : decision;
  };

  const considerCanary = (entry: Entry, signals: Seen | undefined, settings: ScalingSettings, now: number): void => {
    const revision = entry.subject.revisions[1];
    if (revision === undefined || signals === undefined) {
      entry.canary = undefined;
      return;
    }
    const known = entry.canary?.revision === revision ? entry.canary.memory : undefined;
    // until its own server has told, it is taken to be like the one that serves
    const { curve, starts } = entry.memory;
    const before = known ?? { ...remember(now / 1000, 0), starts, curve };
    entry.canary = { revision, memory: decide(before, signals, { ...settings, min: 0 }, now / 1000).memory };
  };

  const askCurves = (entry: Entry, each: readonly Seen[], now: number): void => {
    if (now - entry.askedAt < ASK_MS || each.every(({ addresses }) => addresses.length === 0)) return;
    entry.askedAt = now;
    for (const [i, { addresses }] of each.entries()) {
      const address = addresses[Math.floor(now / ASK_MS) % addresses.length];
      if (address === undefined) continue;
      options
        .askCurve(address)
        .then((curve) => {
          if (curve === undefined) return;
          if (i === 0) entry.memory = { ...entry.memory, curve };
          else if (entry.canary !== undefined)
            entry.canary = { ...entry.canary, memory: { ...entry.canary.memory, curve } };
        })
        .catch((error: unknown) => failed(error, entry.key));
    }
  };

  const placedOf = ({ key, subject }: Entry, seen: Surveyed): number =>
    seen.placed.get(`${key.namespace}/${subject.revisions[0]}`) ?? 0;

  /** Pods that each may have, by what the nodes had when they were last looked at. */
  const grant = (seen: Surveyed): Promise<Allocation> => {
    const claims = [...entries.values()].flatMap((entry): Claim[] => {
      const { template } = entry.subject;
      const more = entry.desired - placedOf(entry, seen);
      if (template === undefined || more <= 0) return [];
      const { createdAt: since } = entry.subject;
      return [
        {
          key: nameOf(entry.key),
          spec: template,
          more,
          since,
          priority: seen.priorities.get(template.priorityClassName ?? "") ?? 0,
        },
      ];
    });
    return inSlices(allocate(seen.rooms, claims));
  };

  function* shortageOf({ subject: { devices, template } }: Entry, pods: number, left: readonly Room[]): Sliced<string> {
    const many = pods === 1 ? "one more pod" : `${pods} more pods`;
    if (template !== undefined && (yield* fits(left, template, 1)) === undefined)
      return `only the scheduler knows whether there is room for ${many}; one at a time is asked for`;
    if (devices === undefined || template === undefined) return `no node that matches has room for ${many}`;
    const free = (yield* freeOf(left, template, devices.resource)) / ONE;
    return `${pods * devices.count} more ${devices.resource} needed (${free} free on nodes that match)`;
  }

  /** Pods that it may have, and what is missing for those that it wants beside them. */
  function* bounded(
    entry: Entry,
    decision: Decision,
    room: { granted: number; left: readonly Room[] } | undefined,
  ): Sliced<{ wanted: number; shortage: string | undefined }> {
    if (room === undefined) return { wanted: decision.wanted, shortage: undefined };
    const wanted = Math.min(decision.wanted, Math.max(room.granted, boundsOf(entry).min));
    const short = decision.wanted - wanted;
    return { wanted, shortage: short > 0 ? yield* shortageOf(entry, short, room.left) : undefined };
  }

  const publish = (
    entry: Entry,
    decision: Decision,
    { shortage, wanted }: { wanted: number; shortage: string | undefined },
    now: number,
  ): void => {
    const { key, memory, scale: before } = entry;
    const isDeaf = entry.deafSince !== undefined && now - entry.deafSince >= DEAF_MS;
    const deaf = isDeaf ? ears.deafTo(key.namespace) : undefined;
    const learnt = {
      ...{ startSeconds: startSeconds(memory.starts), curve: memory.curve },
      ...(entry.phases === undefined ? {} : { phases: entry.phases }),
    };
    const why = shortage !== undefined ? "devices" : deaf !== undefined ? "blind" : decision.why;
    const canary = entry.canary?.memory.wanted;
    const scale: Scale = { wanted, canary, why, words: inWords(decision), learnt, shortage, deaf };
    // what is wanted and cannot be had is wanted still: the memory keeps to what there will be
    entry.memory = { ...memory, wanted };
    report(key, scale, decision.uncapped);
    if (wanted === before.wanted && canary === before.canary && shortage === before.shortage && deaf === before.deaf)
      return;
    entry.scale = scale;
    changed(key);
  };

  type Look = { entry: Entry; decision: Decision; look: number };

  /** Each of them, by itself: what is thrown over one is no reason for the others to wait. */
  function* considerAll(chosen: readonly Entry[], now: number): Sliced<Look[]> {
    const looks: Look[] = [];
    for (const [i, entry] of chosen.entries()) {
      if (i > 0 && i % MOST_IN_SLICE === 0) yield;
      if (entries.get(nameOf(entry.key)) !== entry) continue;
      try {
        if (now >= entry.floor.until) {
          entry.floor = floorAt(entry.subject.wish.schedule, now);
          if (chosen.length > 1) yield;
        }
        looks.push({ entry, decision: consider(entry, now), look: ++entry.looks });
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

  function* publishAll(
    looks: readonly Look[],
    seen: Surveyed | undefined,
    allocation: Allocation | undefined,
    now: number,
  ): Sliced<void> {
    for (const [i, { decision, entry, look }] of looks.entries()) {
      if (i > 0 && i % MOST_IN_SLICE === 0) yield;
      const isOutdated = () => look !== entry.looks || entries.get(nameOf(entry.key)) !== entry;
      if (isOutdated()) continue;
      const more = allocation?.granted.get(nameOf(entry.key));
      const isKnown = seen !== undefined && allocation !== undefined && more !== undefined;
      const room = isKnown ? { granted: placedOf(entry, seen) + more, left: allocation.left } : undefined;
      try {
        const within = yield* bounded(entry, decision, room);
        // what is missing is added up over all nodes, in slices
        if (!isOutdated()) publish(entry, decision, within, now);
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
    const allocation = seen && (await grant(seen));
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
      const entry = known ?? begin(key, subject, now);
      if (known === undefined) entries.set(name, entry);
      if (known !== undefined && known.subject.generation !== subject.generation)
        entry.floor = floorAt(subject.wish.schedule, now);
      entry.subject = subject;
      const { max, min } = boundsOf(entry);
      const wanted = Math.min(Math.max(entry.scale.wanted, min), max);
      if (wanted !== entry.scale.wanted) {
        entry.scale = { ...entry.scale, wanted, why: wanted === max ? "ceiling" : "floor" };
        entry.memory = { ...entry.memory, wanted };
      }
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
