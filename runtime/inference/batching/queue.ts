import type { Tensor } from "../../tensors/index.ts";
import type { InferenceCall } from "../index.ts";
import type { Cost } from "./cost.ts";
import { type Crowd, newCrowd } from "./crowd.ts";

/** Levels of priority as Triton counts them: 1 is the highest. What asks for a lower one than the last gets the last. */
export const LEVELS = 9;
const DEFAULT_LEVEL = 5;

export const levelOf = (priority: number | undefined): number =>
  priority === undefined || !(priority >= 1) ? DEFAULT_LEVEL : Math.min(Math.floor(priority), LEVELS);

/** A request from its admission to its answer. */
export type Entry = {
  inputs: ReadonlyMap<string, Tensor>;
  outputs: readonly string[];
  /** Whose cost it shares, and where it waits: the same, unless it is run again alone. */
  home: Group;
  queue: Group;
  rows: number;
  bytes: number;
  level: number;
  arrivedAt: number;
  startedAt: number;
  deadline: number;
  state: "waiting" | "running" | "answered";
  resolve: (outputs: ReadonlyMap<string, Tensor>) => void;
  reject: (error: Error) => void;
  /** The batch that failed with it, while it is run again. */
  trial: Trial | undefined;
  /** Neighbours in the list of its level. */
  previous: Entry | undefined;
  next: Entry | undefined;
  /** Its place among the deadlines. */
  heapIndex: number;
};

export const newEntry = (
  call: InferenceCall,
  group: Group,
  about: { rows: number; bytes: number; level: number; deadline: number; now: number },
  resolve: Entry["resolve"],
  reject: Entry["reject"],
): Entry => ({
  inputs: call.inputs,
  outputs: call.outputs,
  home: group,
  queue: group,
  rows: about.rows,
  bytes: about.bytes,
  level: about.level,
  arrivedAt: about.now,
  startedAt: 0,
  deadline: about.deadline,
  state: "waiting",
  resolve,
  reject,
  trial: undefined,
  previous: undefined,
  next: undefined,
  heapIndex: -1,
});

/** Requests that may run together: their inputs and outputs have the same types and shapes but for the batch axis. */
export type Group = {
  key: string;
  /** Whether its requests may share a run. */
  joins: boolean;
  cost: Cost;
  crowd: Crowd;
  /** The most items of a batch at present. */
  size: number;
  gaining: boolean;
  /** When to look again whether batching gains, and how many runs have done so since. */
  retestAt: number;
  retests: number;
  /** Batches in a row that failed though their members ran well alone; why batching is therefore paused, or "". */
  failedTogether: number;
  trouble: string;
  usedAt: number;
  requests: number;
  items: number;
  running: number;
  heads: (Entry | undefined)[];
  tails: (Entry | undefined)[];
};

export const newGroup = (key: string, joins: boolean, cost: Cost): Group => ({
  key,
  joins,
  cost,
  crowd: newCrowd(),
  size: 1,
  gaining: true,
  retestAt: 0,
  retests: 0,
  failedTogether: 0,
  trouble: "",
  usedAt: 0,
  requests: 0,
  items: 0,
  running: 0,
  heads: Array.from({ length: LEVELS + 1 }, () => undefined),
  tails: Array.from({ length: LEVELS + 1 }, () => undefined),
});

export const append = (group: Group, entry: Entry): void => {
  const tail = group.tails[entry.level];
  entry.queue = group;
  entry.previous = tail;
  entry.next = undefined;
  if (tail === undefined) group.heads[entry.level] = entry;
  else tail.next = entry;
  group.tails[entry.level] = entry;
  group.requests += 1;
  group.items += entry.rows;
};

export const remove = (entry: Entry): void => {
  const { queue: group, previous, next } = entry;
  if (previous === undefined) group.heads[entry.level] = next;
  else previous.next = next;
  if (next === undefined) group.tails[entry.level] = previous;
  else next.previous = previous;
  entry.previous = undefined;
  entry.next = undefined;
  group.requests -= 1;
  group.items -= entry.rows;
};

/** The first by priority, then by age. */
export const first = (group: Group): Entry | undefined => {
  for (let level = 1; level <= LEVELS; level++) {
    const head = group.heads[level];
    if (head !== undefined) return head;
  }
  return undefined;
};

/** Removes the first, and those that follow it as long as they fit into `items` together. */
export const take = (group: Group, items: number): Entry[] => {
  const taken: Entry[] = [];
  let rows = 0;
  for (let entry = first(group); entry !== undefined; entry = first(group)) {
    if (taken.length > 0 && rows + entry.rows > items) break;
    remove(entry);
    taken.push(entry);
    rows += entry.rows;
    if (rows >= items) break;
  }
  return taken;
};

/** Whether `one` is served before `other`. */
export const before = (one: Entry, other: Entry): boolean =>
  one.level !== other.level ? one.level < other.level : one.arrivedAt < other.arrivedAt;

/** A batch that failed, whose members run again apart: is one of them bad, or does the model fail when it is shared? */
export type Trial = { group: Group; members: number; well: number; message: string };
