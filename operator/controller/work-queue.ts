import type { ObjectKey } from "../kube/objects.ts";

/** Time as the queue needs it, so that tests can pass it by hand. `now` is monotonic; both in milliseconds. */
export type Timers = { now(): number; after(ms: number, run: () => void): { cancel(): void } };

export const systemTimers: Timers = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

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
  /** Due now. */
  add(key: ObjectKey): void;
  /** Due in `ms`, unless it is due sooner already. */
  addAfter(key: ObjectKey, ms: number): void;
  /** Due after a delay that doubles with each call until `forget`. */
  retry(key: ObjectKey): void;
  forget(key: ObjectKey): void;
  /** The longest-waiting key, held until `done`; undefined once the queue is shut down. */
  take(): Promise<ObjectKey | undefined>;
  done(key: ObjectKey): void;
  /** Ends every `take`, waiting and to come, and drops what waits. */
  shutDown(): void;
};

const FIRST_DELAY_MS = 5;
/** controller-runtime goes on to 1000 s; nobody who mended a quota or a permission wants to wait so long. */
const LONGEST_DELAY_MS = 300_000;

/** 5 ms · 2ⁿ, 5 minutes at most. */
export const retryDelay = (failures: number): number => Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);

type Entry = {
  key: ObjectKey;
  /** `held` is with a worker, `again` with a worker and due anew, `idle` waits for its timer alone. */
  state: "due" | "held" | "again" | "idle";
  dueSince: number;
  heldSince: number;
  failures: number;
  delayed?: { at: number; cancel(): void };
};

export const createWorkQueue = (timers: Timers, observe: QueueObserver): WorkQueue => {
  const entries = new Map<string, Entry>();
  const due = new Set<Entry>();
  const takers: ((key: ObjectKey | undefined) => void)[] = [];
  let open = true;

  const entryOf = (key: ObjectKey): Entry => {
    const id = `${key.namespace}/${key.name}`;
    const known = entries.get(id);
    if (known !== undefined) return known;
    const made: Entry = {
      key: { namespace: key.namespace, name: key.name },
      state: "idle",
      dueSince: 0,
      heldSince: 0,
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

  const makeDue = (entry: Entry) => {
    cancelDelay(entry);
    if (entry.state === "due" || entry.state === "again") return;
    observe.added();
    entry.dueSince = timers.now();
    if (entry.state === "held") entry.state = "again";
    else offer(entry);
  };
  const offer = (entry: Entry) => {
    entry.state = "due";
    due.add(entry);
    observe.depth(due.size);
    takers.shift()?.(hold());
  };
  const hold = (): ObjectKey | undefined => {
    const [entry] = due;
    if (entry === undefined) return undefined;
    due.delete(entry);
    observe.depth(due.size);
    const now = timers.now();
    observe.taken(now - entry.dueSince);
    entry.state = "held";
    entry.heldSince = now;
    return entry.key;
  };
  const delay = (entry: Entry, ms: number) => {
    if (entry.state === "due" || entry.state === "again") return;
    const at = timers.now() + ms;
    if (entry.delayed !== undefined && entry.delayed.at <= at) return;
    cancelDelay(entry);
    entry.delayed = { at, ...timers.after(ms, () => makeDue(entry)) };
  };

  return {
    add(key) {
      if (open) makeDue(entryOf(key));
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
      const key = hold();
      return key === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(key);
    },
    done(key) {
      const entry = entryOf(key);
      observe.finished(timers.now() - entry.heldSince);
      if (entry.state === "again" && open) offer(entry);
      else entry.state = "idle";
      dropIfUnused(entry);
    },
    shutDown() {
      open = false;
      due.clear();
      for (const entry of entries.values()) cancelDelay(entry);
      for (const taker of takers.splice(0)) taker(undefined);
    },
  };
};
