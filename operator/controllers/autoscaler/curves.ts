/** Asks servers that have something to do what their runs take. */
import type { RunCurve } from "../../domain/scaling/signals.ts";
import type { Entry } from "./entry.ts";
import type { Seen } from "./seen.ts";

/** Between two questions about one ModelDeployment. */
const ASK_MS = 5000;

/** One pod of each revision, another one each time. What it answers is remembered when it comes. */
export const askCurves = (
  entry: Entry,
  each: readonly Seen[],
  now: number,
  ask: (address: string) => Promise<RunCurve | undefined>,
  failed: (error: unknown) => void,
): void => {
  if (now - entry.askedAt < ASK_MS || each.every(({ addresses }) => addresses.length === 0)) return;
  entry.askedAt = now;
  for (const [i, { addresses }] of each.entries()) {
    const address = addresses[Math.floor(now / ASK_MS) % addresses.length];
    if (address === undefined) continue;
    ask(address)
      .then((curve) => {
        if (curve !== undefined) keep(entry, i, curve);
      })
      .catch(failed);
  }
};

/** @param i of the revision: 0 serves, 1 is on trial */
const keep = (entry: Entry, i: number, curve: RunCurve): void => {
  if (i === 0) entry.memory = { ...entry.memory, curve };
  else if (entry.canary !== undefined) entry.canary = { ...entry.canary, memory: { ...entry.canary.memory, curve } };
};
