/** How many more pods the nodes would take. Pure. */
import { admits } from "./admits.ts";
import { type Amounts, type PodSpec, requestOf } from "./request.ts";
import type { Room } from "./room.ts";

/** Pods of this kind that fit beside what the nodes have, and how many of them are asked after at most. */
export const fits = (rooms: readonly Room[], spec: PodSpec, most: number): number => {
  const request = requestOf(spec);
  const sum = rooms
    .filter((room) => admits(room, spec))
    .reduce((all, { free }) => all + copies(free, request, most), 0);
  return Math.min(sum, most);
};

const copies = (free: Amounts, request: Amounts, most: number): number =>
  [...request].reduce((least, [resource, asked]) => {
    if (asked <= 0n) return least;
    const left = free.get(resource) ?? 0n;
    return left < asked ? 0 : Math.min(least, Number(left / asked));
  }, most);
