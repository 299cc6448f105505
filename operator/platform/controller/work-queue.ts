import type { ObjectKey } from "../kube/objects.ts";

/**
 * Time as the queue needs it, so that tests can pass it by hand. `now` is monotonic; both in milliseconds. `turn`: in the next turn of
 * the event loop.
 */
export type Timers = {
  now(): number;
  after(ms: number, run: () => void): { cancel(): void };
  turn(run: () => void): void;
};

export const systemTimers: Timers = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  turn: (run) => void setImmediate(run),
};

/** `low`: nothing has happened to it, as when all that there is is looked at after a start. */
export type Priority = "normal" | "low";

/** Told of what happens to keys; `waited` and `worked` in milliseconds. */
export type QueueObserver = {
  depth(due: number): void;
  added(): void;
  retried(): void;
  taken(waited: number): void;
  finished(worked: number): void;
};

/**
 * The keys that have to be reconciled. A key is here once however often it is added, and is held by one worker at a
 * time: added meanwhile, it becomes due again when that worker is done.
 */
export type WorkQueue = {
  /** Due now. What is `low` waits until nothing else is due; added again without it, it waits no longer. */
  add(key: ObjectKey, priority?: Priority): void;
  /** Due in `ms`, unless it is due sooner already. */
  addAfter(key: ObjectKey, ms: number): void;
  /** Due after a delay that doubles with each call until `forget`. */
  retry(key: ObjectKey): void;
  forget(key: ObjectKey): void;
  /**
   * The longest-waiting key, held until `done`; undefined once the queue is shut down. One is given in each turn of the event loop: passes
   * that have nothing to wait for would otherwise run back to back, and the lease, the probes and everybody else would wait for all of
   * them. Which one it is, is decided in that turn, so that one to which something has happened waits for no others that are low.
   */
  take(): Promise<ObjectKey | undefined>;
  done(key: ObjectKey): void;
  /** For how long each key that a worker holds has been held, in milliseconds. */
  held(): number[];
  /** Ends every `take`, waiting and to come, and drops what waits. */
  shutDown(): void;
};

const FIRST_DELAY_MS = 5;
/** controller-runtime goes on to 1000 s; nobody who mended a quota or a permission wants to wait so long. */
const LONGEST_DELAY_MS = 300_000;
/** A timer that is asked for more rings at once. */
const MOST_TIMER_MS = 2 ** 31 - 1;

/** 5 ms · 2ⁿ, 5 minutes at most. */
export const retryDelay = (failures: number): number => Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);

type Entry = {
  key: ObjectKey;
  /** `held` is with a worker, `again` with a worker and due anew, `idle` waits for its timer alone. */
  state: "due" | "held" | "again" | "idle";
  dueSince: number;
  heldSince: number;
  /** Of the next time that it is due. */
  priority: Priority;
  failures: number;
  delayed?: { at: number; cancel(): void };
};

export const createWorkQueue = (timers: Timers, observe: QueueObserver): WorkQueue => {
  const entries = new Map<string, Entry>();
  const due: Record<Priority, Set<Entry>> = { normal: new Set(), low: new Set() };
  const depth = (): number => due.normal.size + due.low.size;
  const takers: ((key: ObjectKey | undefined) => void)[] = [];
  let open = true;
  /** A key will be given in the next turn. */
  let isHanding = false;

  const entryOf = (key: ObjectKey): Entry => {
    const id = `${key.namespace}/${key.name}`;
    const known = entries.get(id);
    if (known !== undefined) return known;
    const made: Entry = {
      key: { namespace: key.namespace, name: key.name },
      state: "idle",
      dueSince: 0,
      heldSince: 0,
      priority: "low",
      failures: 0,
    };
    entries.set(id, made);
    return made;
  };
  const dropIfUnused = (entry: Entry) => {
    if (entry.state !== "idle" || entry.failures > 0 || entry.delayed !== undefined) return;
    entries.delete(`${entry.key.namespace}/${entry.key.name}`);
  };
  const cancelDelay = (entry: Entry) => {
    entry.delayed?.cancel();
    delete entry.delayed;
  };

  const makeDue = (entry: Entry, priority: Priority) => {
    cancelDelay(entry);
    if (entry.state === "due" || entry.state === "again") {
      if (priority === "normal" && entry.priority === "low") raise(entry);
      return;
    }
    entry.priority = priority;
    observe.added();
    entry.dueSince = timers.now();
    if (entry.state === "held") entry.state = "again";
    else offer(entry);
  };
  const raise = (entry: Entry) => {
    entry.priority = "normal";
    if (due.low.delete(entry)) due.normal.add(entry);
  };
  const offer = (entry: Entry) => {
    entry.state = "due";
    due[entry.priority].add(entry);
    observe.depth(depth());
    hand();
  };
  const hand = () => {
    if (isHanding || takers.length === 0 || depth() === 0) return;
    isHanding = true;
    timers.turn(() => {
      isHanding = false;
      if (!open) return;
      takers.shift()?.(hold());
      hand();
    });
  };
  const hold = (): ObjectKey | undefined => {
    const [entry] = due.normal.size > 0 ? due.normal : due.low;
    if (entry === undefined) return undefined;
    due[entry.priority].delete(entry);
    observe.depth(depth());
    const now = timers.now();
    observe.taken(now - entry.dueSince);
    entry.state = "held";
    entry.heldSince = now;
    return entry.key;
  };
  const delay = (entry: Entry, asked: number) => {
    if (entry.state === "due" || entry.state === "again") return;
    const ms = Math.min(asked, MOST_TIMER_MS);
    const at = timers.now() + ms;
    if (entry.delayed !== undefined && entry.delayed.at <= at) return;
    cancelDelay(entry);
    entry.delayed = { at, ...timers.after(ms, () => makeDue(entry, "normal")) };
  };

  return {
    add(key, priority = "normal") {
      if (open) makeDue(entryOf(key), priority);
    },
    addAfter(key, ms) {
      if (open) delay(entryOf(key), ms);
    },
    retry(key) {
      if (!open) return;
      const entry = entryOf(key);
      observe.retried();
      delay(entry, retryDelay(entry.failures));
      entry.failures++;
    },
    forget(key) {
      const entry = entryOf(key);
      entry.failures = 0;
      dropIfUnused(entry);
    },
    take() {
      if (!open) return Promise.resolve(undefined);
      const { promise, resolve } = Promise.withResolvers<ObjectKey | undefined>();
      takers.push(resolve);
      hand();
      return promise;
    },
    done(key) {
      const entry = entryOf(key);
      observe.finished(timers.now() - entry.heldSince);
      if (entry.state === "again" && open) offer(entry);
      else entry.state = "idle";
      dropIfUnused(entry);
    },
    held() {
      const now = timers.now();
      const isHeld = ({ state }: Entry): boolean => state === "held" || state === "again";
      return [...entries.values()].filter(isHeld).map(({ heldSince }) => now - heldSince);
    },
    shutDown() {
      open = false;
      for (const some of Object.values(due)) some.clear();
      for (const entry of entries.values()) cancelDelay(entry);
      for (const taker of takers.splice(0)) taker(undefined);
    },
  };
};
