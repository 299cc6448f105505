import { newAlarm } from "./clock.ts";
import { dispatch } from "./dispatch.ts";
import { noteRetest, retestSize } from "./groups.ts";
import { hold } from "./hold.ts";
import { expire } from "./live.ts";
import { probeEnded, takeProbe } from "./probes.ts";
import { before, type Entry, first, type Group, take } from "./queue.ts";
import { giveBack, type Pump, startRun } from "./runs.ts";
import type { State } from "./state.ts";
import { occupy, release, soonestFree } from "./workers.ts";

/** Gives free shards what they should do, each time that something has changed. */
export const createPump = (state: State): Pump & { stop(): void } => {
  const { clock, live, workers } = state;
  const { free } = workers;
  let scheduled = false;
  const wake = newAlarm(clock, () => pump.now());
  const pump = {
    now(): void {
      if (free.length === 0) return;
      const now = clock.now();
      if ((live.deadlines[0]?.deadline ?? Number.POSITIVE_INFINITY) <= now) expire(live, now);
      startProbe(state, now, pump);
      const held = new Set<Group>();
      while (free.length > 0 && live.active.size > held.size) {
        const group = nextGroup(live.active, held);
        const oldest = group && first(group);
        if (group === undefined || oldest === undefined) break;
        const wakeAt = serve(state, pump, group, oldest, now);
        if (wakeAt === undefined) continue;
        held.add(group);
        wake.set(wakeAt);
      }
    },
    soon(): void {
      if (scheduled) return;
      scheduled = true;
      clock.soon(() => {
        scheduled = false;
        pump.now();
      });
    },
    stop: () => wake.stop(),
  };
  return pump;
};

/** Starts a run for it, or says when to look again. */
const serve = (state: State, pump: Pump, group: Group, oldest: Entry, now: number): number | undefined => {
  const { workers } = state;
  const retest = retestSize(group, now);
  const decision = dispatch(
    {
      items: group.items,
      requests: group.requests,
      oldestAt: oldest.arrivedAt,
      size: retest === undefined ? group.size : Math.min(retest, state.options.maxBatchSize),
      cost: group.cost,
      // one that runs a probe will soon be free: it should find its share of what waits
      freeShards: retest === undefined ? workers.free.length + (state.probes.isRunning ? 1 : 0) : 1,
      busyUntil: soonestFree(workers),
    },
    state.policy,
    now,
  );
  if ("wakeAt" in decision) return decision.wakeAt;
  if (retest !== undefined) noteRetest(group, now);
  else if (group.size > 1) {
    const held = hold(group, state.policy, workers.all.size, now);
    if (held !== undefined) return held;
  }
  startRun(state, take(group, decision.items), now, pump);
  return undefined;
};

/** Of those that are not held: by priority, then by age. */
const nextGroup = (active: ReadonlySet<Group>, held: ReadonlySet<Group>): Group | undefined => {
  let best: Entry | undefined;
  for (const group of active) {
    if (held.has(group)) continue;
    const head = first(group);
    if (head !== undefined && (best === undefined || before(head, best))) best = head;
  }
  return best?.queue;
};

const startProbe = (state: State, now: number, pump: Pump): void => {
  const { clock, policy, probes, workers } = state;
  if (workers.free.length === 0) return;
  const probe = takeProbe(probes, state.live.queued, now);
  const worker = probe && workers.free.pop();
  if (probe === undefined || worker === undefined) return;
  occupy(worker, now + policy.hopMs + probe.expectedMs);
  worker.shard.run(probe.job).then(
    (result) => {
      probeEnded(probes, now, clock.now());
      release(workers, worker);
      probe.resolve(result);
      pump.now();
    },
    (error: unknown) => {
      const ended = clock.now();
      probeEnded(probes, now, ended);
      giveBack(state, worker, error, ended);
      probe.reject(error);
      pump.now();
    },
  );
};
