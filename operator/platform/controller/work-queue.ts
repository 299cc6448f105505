import { fullNameOf, type ObjectKey } from "../kube/objects.ts";

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

type QueueState = {
  readonly timers: Timers;
  readonly observe: QueueObserver;
  readonly entries: Map<string, Entry>;
  readonly due: Readonly<Record<Priority, Set<Entry>>>;
  readonly takers: ((key: ObjectKey | undefined) => void)[];
  isOpen: boolean;
  /** A key will be given in the next turn. */
  isHanding: boolean;
};

export const createWorkQueue = (timers: Timers, observe: QueueObserver): WorkQueue => {
  const due = { normal: new Set<Entry>(), low: new Set<Entry>() };
  const queue: QueueState = { timers, observe, entries: new Map(), due, takers: [], isOpen: true, isHanding: false };
  return {
    add(key, priority = "normal") {
      if (queue.isOpen) makeDue(queue, entryOf(queue, key), priority);
    },
    addAfter(key, ms) {
      if (queue.isOpen) delay(queue, entryOf(queue, key), ms);
    },
    retry: (key) => retry(queue, key),
    forget: (key) => forget(queue, key),
    take: () => take(queue),
    done: (key) => done(queue, key),
    held: () => held(queue),
    shutDown: () => shutDown(queue),
  };
};

const entryOf = ({ entries }: QueueState, key: ObjectKey): Entry => {
  const id = fullNameOf(key);
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

const dropIfUnused = ({ entries }: QueueState, entry: Entry): void => {
  if (entry.state === "idle" && entry.failures === 0 && entry.delayed === undefined)
    entries.delete(fullNameOf(entry.key));
};

const cancelDelay = (entry: Entry): void => {
  entry.delayed?.cancel();
  delete entry.delayed;
};

const depth = ({ due }: QueueState): number => due.normal.size + due.low.size;

const makeDue = (queue: QueueState, entry: Entry, priority: Priority): void => {
  cancelDelay(entry);
  if (entry.state === "due" || entry.state === "again") {
    if (priority === "normal" && entry.priority === "low") raise(queue, entry);
    return;
  }
  entry.priority = priority;
  queue.observe.added();
  entry.dueSince = queue.timers.now();
  if (entry.state === "held") entry.state = "again";
  else offer(queue, entry);
};

const raise = ({ due }: QueueState, entry: Entry): void => {
  entry.priority = "normal";
  if (due.low.delete(entry)) due.normal.add(entry);
};

const offer = (queue: QueueState, entry: Entry): void => {
  entry.state = "due";
  queue.due[entry.priority].add(entry);
  queue.observe.depth(depth(queue));
  hand(queue);
};

/** Gives a key in the next turn, if there is one and somebody to take it. */
const hand = (queue: QueueState): void => {
  const { takers, timers } = queue;
  if (queue.isHanding || takers.length === 0 || depth(queue) === 0) return;
  queue.isHanding = true;
  timers.turn(() => {
    queue.isHanding = false;
    if (!queue.isOpen) return;
    takers.shift()?.(hold(queue));
    hand(queue);
  });
};

const hold = (queue: QueueState): ObjectKey | undefined => {
  const { due, observe, timers } = queue;
  const [entry] = due.normal.size > 0 ? due.normal : due.low;
  if (entry === undefined) return undefined;
  due[entry.priority].delete(entry);
  observe.depth(depth(queue));
  const now = timers.now();
  observe.taken(now - entry.dueSince);
  entry.state = "held";
  entry.heldSince = now;
  return entry.key;
};

const delay = (queue: QueueState, entry: Entry, asked: number): void => {
  if (entry.state === "due" || entry.state === "again") return;
  const { timers } = queue;
  const ms = Math.min(asked, MOST_TIMER_MS);
  const at = timers.now() + ms;
  if (entry.delayed !== undefined && entry.delayed.at <= at) return;
  cancelDelay(entry);
  entry.delayed = { at, ...timers.after(ms, () => makeDue(queue, entry, "normal")) };
};

const retry = (queue: QueueState, key: ObjectKey): void => {
  if (!queue.isOpen) return;
  const entry = entryOf(queue, key);
  queue.observe.retried();
  delay(queue, entry, retryDelay(entry.failures));
  entry.failures++;
};

const forget = (queue: QueueState, key: ObjectKey): void => {
  const entry = entryOf(queue, key);
  entry.failures = 0;
  dropIfUnused(queue, entry);
};

const take = (queue: QueueState): Promise<ObjectKey | undefined> => {
  if (!queue.isOpen) return Promise.resolve(undefined);
  const { promise, resolve } = Promise.withResolvers<ObjectKey | undefined>();
  queue.takers.push(resolve);
  hand(queue);
  return promise;
};

const done = (queue: QueueState, key: ObjectKey): void => {
  const entry = entryOf(queue, key);
  queue.observe.finished(queue.timers.now() - entry.heldSince);
  if (entry.state === "again" && queue.isOpen) offer(queue, entry);
  else entry.state = "idle";
  dropIfUnused(queue, entry);
};

const held = ({ entries, timers }: QueueState): number[] => {
  const now = timers.now();
  const isHeld = ({ state }: Entry): boolean => state === "held" || state === "again";
  return [...entries.values()].filter(isHeld).map(({ heldSince }) => now - heldSince);
};

const shutDown = (queue: QueueState): void => {
  queue.isOpen = false;
  for (const some of Object.values(queue.due)) some.clear();
  for (const entry of queue.entries.values()) cancelDelay(entry);
  for (const taker of queue.takers.splice(0)) taker(undefined);
};
