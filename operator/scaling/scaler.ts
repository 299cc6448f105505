/**
 * The loop that scales: once a second for each ModelDeployment whose number of pods follows the load, and at once where a request waits and
 * there is no pod. It decides and remembers; the reconciler writes what was decided, and is told when that changes.
 */
import type { ObjectKey, Pod } from "../kube/objects.ts";
import { allocate, type Claim, freeOf } from "../placement/ledger.ts";
import { ONE, type PodSpec } from "../placement/request.ts";
import type { Survey, Surveyed } from "../placement/survey.ts";
import { type Decision, decide, type Memory, remember, type Why } from "./decide.ts";
import { createEars, type Hear } from "./ears.ts";
import { countPods, startOf } from "./pods.ts";
import { floorAt } from "./schedule.ts";
import type { Wish } from "./settings.ts";
import type { RunCurve, Signals } from "./signals.ts";
import { startSeconds, withStart } from "./start-time.ts";
import { createTally } from "./tally.ts";
import { inWords } from "./words.ts";

/** A ModelDeployment whose number of pods follows the load. */
export type Subject = {
  wish: Wish;
  /** Of the spec that the wish is from. */
  generation: number;
  /** Who gets the requests, the one whose pods are counted first. */
  revisions: readonly string[];
  /** A revision is to be proved, for which a pod is needed. */
  isProving: boolean;
  /** Clients' requests come through the routers. */
  isRouted: boolean;
  /** Pods that its Deployment is to have now; undefined where there is none yet. */
  replicas: number | undefined;
  template: PodSpec | undefined;
  /** Of each pod. */
  devices: { resource: string; count: number } | undefined;
  /** Milliseconds since 1970. */
  createdAt: number;
  learnt: Learnt | undefined;
};

/** What is known of the pods, from status to status. */
export type Learnt = { startSeconds: number; curve: RunCurve | undefined };

export type Scale = {
  /** Pods that the revision that serves is to have. */
  wanted: number;
  why: Why | "devices" | "blind";
  words: string;
  learnt: Learnt | undefined;
  /** What is missing for the pods that the load asks for beyond these. */
  shortage: string | undefined;
  /** Which router is not heard, and why. */
  deaf: string | undefined;
};

export type Scaler = {
  /** What was decided last. `subject` undefined: its number of pods does not follow the load. */
  look(key: ObjectKey, subject: Subject | undefined, now: number): Scale | undefined;
  /** Works until the signal. */
  run(signal: AbortSignal): Promise<void>;
};

export type ScalerOptions = {
  /** Pods with their labels, of one ModelDeployment; and the routers of a namespace that are ready. */
  podsOf(key: ObjectKey): readonly Pod[];
  routersOf(namespaces: ReadonlySet<string>): readonly { namespace: string; name: string; address: string }[];
  hear: Hear;
  askCurve(address: string): Promise<RunCurve | undefined>;
  survey: Survey;
  /** Nodes come where pods wait for them: what there is room for now is no bound. */
  nodesCome: boolean;
  /** Milliseconds since 1970. */
  clock(): number;
  /** What was decided has changed. */
  changed(key: ObjectKey): void;
  /** Each decision, for the metrics; undefined: it is gone. */
  report(key: ObjectKey, scale: Scale | undefined, uncapped: number): void;
};

type Entry = {
  key: ObjectKey;
  subject: Subject;
  memory: Memory;
  scale: Scale;
  /** The schedule's floor, and until when (ms since 1970) it holds. */
  floor: { floor: number; until: number };
  /** Pods whose start is known, by uid. */
  started: Set<string>;
  askedAt: number;
  deafSince: number | undefined;
  /** Grows with each look: what a look has decided holds only until the next one. */
  looks: number;
};

const EVERY_MS = 1000;
/** Servers with something to do are asked so often what their runs take. */
const ASK_MS = 5000;
/** A router that has just come is connected to within a second. */
const DEAF_MS = 10_000;
export const createScaler = (options: ScalerOptions): Scaler => {
  const { changed, clock, nodesCome, podsOf, report, routersOf, survey } = options;
  const entries = new Map<string, Entry>();
  const tally = createTally();
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
      ...{ key, subject, memory, started: new Set(), askedAt: 0, deafSince: undefined, looks: 0 },
      floor: floorAt(wish.schedule, now),
      scale: { wanted, why: "floor", words: "", learnt, shortage: undefined, deaf: undefined },
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
    }
    entry.started = present;
  };

  /** What is seen of it now. */
  const signalsOf = (entry: Entry, now: number): { signals: Signals; addresses: string[] } => {
    const { key, subject } = entry;
    const pods = podsOf(key);
    learn(entry, pods);
    const counts = subject.revisions.map((revision) => countPods(pods, revision, now / 1000));
    const sums = tally.take(key.namespace, key.name);
    const arms = subject.revisions.flatMap((revision) => sums.get(revision) ?? []);
    const sum = (of: (arm: (typeof arms)[number]) => number): number => arms.reduce((all, arm) => all + of(arm), 0);
    return {
      signals: {
        arrivals: sum(({ arrivals }) => arrivals),
        crowd: sum(({ crowd }) => crowd),
        waiting: sum(({ waiting }) => waiting),
        inFlight: sum(({ inFlight }) => inFlight),
        ready: counts.reduce((all, { ready }) => all + ready, 0),
        starting: counts.flatMap(({ starting }) => starting),
        curve: undefined,
      },
      addresses: counts[0]?.addresses ?? [],
    };
  };

  const boundsOf = ({ floor, subject }: Entry): { min: number; max: number } => {
    const { isProving, wish } = subject;
    return { min: Math.min(wish.max, Math.max(wish.min, floor.floor, isProving ? 1 : 0)), max: wish.max };
  };

  /** One look at one of them. What it wants is not bounded by devices yet. */
  const consider = (entry: Entry, now: number): Decision => {
    const { signals, addresses } = signalsOf(entry, now);
    if (now >= entry.floor.until) entry.floor = floorAt(entry.subject.wish.schedule, now);
    const deaf = ears.deafTo(entry.key.namespace);
    const isBlind = deaf !== undefined || !entry.subject.isRouted;
    entry.deafSince = deaf === undefined ? undefined : (entry.deafSince ?? now);
    const before = entry.memory;
    const settings = { ...entry.subject.wish, ...boundsOf(entry) };
    const { decision, memory } = decide(before, signals, settings, now / 1000);
    // who does not hear everything takes nothing away
    entry.memory = isBlind ? { ...memory, busyAt: now / 1000, wanted: Math.max(memory.wanted, before.wanted) } : memory;
    if (signals.inFlight > 0 || entry.memory.curve === undefined) askCurve(entry, addresses, now);
    return isBlind && decision.wanted < before.wanted
      ? { ...decision, wanted: before.wanted, uncapped: before.wanted }
      : decision;
  };

  const askCurve = (entry: Entry, addresses: readonly string[], now: number): void => {
    const address = addresses[Math.floor(now / ASK_MS) % addresses.length];
    if (address === undefined || now - entry.askedAt < ASK_MS) return;
    entry.askedAt = now;
    void options.askCurve(address).then((curve) => {
      if (curve !== undefined) entry.memory = { ...entry.memory, curve };
    });
  };

  const placedOf = ({ key, subject }: Entry, seen: Surveyed): number =>
    subject.revisions
      .slice(0, 1)
      .reduce((sum, revision) => sum + (seen.placed.get(`${key.namespace}/${revision}`) ?? 0), 0);

  /** Pods that each may have, by what the nodes had when they were last looked at. */
  const grant = (wanting: readonly { entry: Entry; wanted: number }[], seen: Surveyed): Map<string, number> => {
    const claims = wanting.flatMap(({ entry, wanted }): Claim[] => {
      const { template } = entry.subject;
      const more = wanted - placedOf(entry, seen);
      if (template === undefined || more <= 0) return [];
      const { createdAt: since } = entry.subject;
      return [{ key: nameOf(entry.key), spec: template, more, since, priority: template.priority ?? 0 }];
    });
    return allocate(seen.rooms, claims);
  };

  const shortageOf = ({ subject: { devices, template } }: Entry, pods: number): string => {
    const many = pods === 1 ? "one more pod" : `${pods} more pods`;
    if (devices === undefined || template === undefined || surveyed === undefined)
      return `no node that matches has room for ${many}`;
    const free = freeOf(surveyed.rooms, template, devices.resource) / ONE;
    return `${pods * devices.count} more ${devices.resource} needed (${free} free on nodes that match)`;
  };

  const publish = (entry: Entry, decision: Decision, granted: number | undefined, now: number): void => {
    const { key, memory, scale: before } = entry;
    const { min } = boundsOf(entry);
    const allowed = granted === undefined ? decision.wanted : Math.max(granted, min);
    const wanted = Math.min(decision.wanted, allowed);
    const shortage = wanted < decision.wanted ? shortageOf(entry, decision.wanted - wanted) : undefined;
    const isDeaf = entry.deafSince !== undefined && now - entry.deafSince >= DEAF_MS;
    const deaf = isDeaf ? ears.deafTo(key.namespace) : undefined;
    const learnt = { startSeconds: startSeconds(memory.starts), curve: memory.curve };
    const why = shortage !== undefined ? "devices" : deaf !== undefined ? "blind" : decision.why;
    const scale: Scale = { wanted, why, words: inWords(decision), learnt, shortage, deaf };
    // what is wanted and cannot be had is wanted still: the memory keeps to what there will be
    entry.memory = { ...memory, wanted };
    report(key, scale, decision.uncapped);
    if (wanted === before.wanted && shortage === before.shortage && deaf === before.deaf) return;
    entry.scale = scale;
    changed(key);
  };

  const step = async (chosen: readonly Entry[], now: number): Promise<void> => {
    const wanting = chosen.map((entry) => ({ entry, decision: consider(entry, now), look: ++entry.looks }));
    const isMore = wanting.some(({ decision, entry }) => {
      const pods = podsOf(entry.key).filter(({ spec }) => spec?.nodeName !== undefined).length;
      return decision.wanted > Math.min(pods, entry.scale.wanted) && decision.wanted > boundsOf(entry).min;
    });
    if (isMore && !nodesCome) surveyed = (await survey(now)) ?? surveyed;
    else if (!isMore) surveyed = undefined;
    const seen = nodesCome ? undefined : surveyed;
    const granted =
      seen &&
      grant(
        wanting.map(({ decision, entry }) => ({ entry, wanted: decision.wanted })),
        seen,
      );
    for (const { decision, entry, look } of wanting) {
      if (look !== entry.looks || entries.get(nameOf(entry.key)) !== entry) continue;
      const more = granted?.get(nameOf(entry.key));
      const most = seen === undefined || more === undefined ? undefined : placedOf(entry, seen) + more;
      publish(entry, decision, most, now);
    }
  };

  /** Nobody waits for a second where a request waits and nothing serves. */
  const wake = (name: string): void => {
    const entry = entries.get(name);
    if (entry === undefined || countReady(entry) > 0) return;
    void step([entry], clock());
  };
  const countReady = ({ key, subject }: Entry): number =>
    subject.revisions.reduce((sum, revision) => sum + countPods(podsOf(key), revision, 0).ready, 0);

  return {
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
        const namespaces = new Set([...entries.values()].map(({ key }) => key.namespace));
        ears.listenTo(routersOf(namespaces), namespaces, signal);
        await step([...entries.values()], clock());
        await pause(EVERY_MS - (clock() % EVERY_MS), signal);
      }
    },
  };
};

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
  });
