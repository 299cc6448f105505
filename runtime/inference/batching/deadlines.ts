import type { Entry } from "./queue.ts";

/**
 * The live requests by deadline: a binary heap whose members know their place, so that an answered request leaves at
 * once. Most deadlines come in order, and then adding costs no exchange.
 */
export const addDeadline = (heap: Entry[], entry: Entry): void => {
  heap.push(entry);
  up(heap, heap.length - 1, entry);
};

export const dropDeadline = (heap: Entry[], entry: Entry): void => {
  const at = entry.heapIndex;
  const last = heap.pop();
  entry.heapIndex = -1;
  if (last === undefined || last === entry) return;
  const above = heap[(at - 1) >> 1];
  if (at > 0 && above !== undefined && above.deadline > last.deadline) up(heap, at, last);
  else down(heap, at, last);
};

const up = (heap: Entry[], from: number, entry: Entry): void => {
  let at = from;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || above.deadline <= entry.deadline) break;
    heap[at] = above;
    above.heapIndex = at;
    at = parent;
  }
  heap[at] = entry;
  entry.heapIndex = at;
};

const down = (heap: Entry[], from: number, entry: Entry): void => {
  let at = from;
  for (;;) {
    const left = heap[2 * at + 1];
    const right = heap[2 * at + 2];
    const child = right !== undefined && left !== undefined && right.deadline < left.deadline ? right : left;
    if (child === undefined || child.deadline >= entry.deadline) break;
    const place = child.heapIndex;
    heap[at] = child;
    child.heapIndex = at;
    at = place;
  }
  heap[at] = entry;
  entry.heapIndex = at;
};
