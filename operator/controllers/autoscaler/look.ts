/** One look at each of them: what there is to see, and what is wanted by that. */
import type { Sliced } from "../../domain/placement/slices.ts";
import type { Decision } from "../../domain/scaling/decide.ts";
import { floorAt } from "../../domain/scaling/schedule.ts";
import { consider } from "./consider.ts";
import { askCurves } from "./curves.ts";
import { boundsOf, type Entry } from "./entry.ts";
import { learnStarts, seenOf } from "./seen.ts";
import { isKnown, type Look, MOST_IN_SLICE, type ScalerState } from "./state.ts";

/** Each by itself: what is thrown over one is no reason for the others to wait. */
export function* considerAll(state: ScalerState, chosen: readonly Entry[], now: number): Sliced<Look[]> {
  const looks: Look[] = [];
  for (const [i, entry] of chosen.entries()) {
    if (i > 0 && i % MOST_IN_SLICE === 0) yield;
    if (!isKnown(state, entry)) continue;
    try {
      if (now >= entry.floor.until) {
        entry.floor = floorAt(entry.subject.wish.schedule, now);
        if (chosen.length > 1) yield;
      }
      looks.push({ entry, decision: lookAt(state, entry, now), look: ++entry.looks });
    } catch (error) {
      state.options.failed(error, entry.key);
    }
  }
  return looks;
}

const lookAt = ({ ears, options, tally }: ScalerState, entry: Entry, now: number): Decision => {
  const { askCurve, failed, podsOf } = options;
  const { key, subject } = entry;
  const pods = podsOf(key);
  learnStarts(entry, pods);
  const seen = seenOf(entry, pods, tally.take(key.namespace, key.name), now);
  const deaf = ears.deafTo(key.namespace);
  entry.deafSince = deaf === undefined ? undefined : (entry.deafSince ?? now);
  const hadCurve = entry.memory.curve !== undefined;
  const decision = consider(entry, seen, deaf !== undefined || !subject.isCounted, now);
  if (seen.all.inFlight > 0 || !hadCurve) askCurves(entry, seen.each, now, askCurve, (error) => failed(error, key));
  return decision;
};

/** More than there is, or is on its way: whether there is room for it is to be known. */
export const wantsMore = ({ options }: ScalerState, { decision, entry }: Look): boolean => {
  if (decision.wanted <= boundsOf(entry).min) return false;
  const pods = options.podsOf(entry.key).filter(({ spec }) => spec?.nodeName !== undefined).length;
  return decision.wanted > Math.min(pods, entry.scale.wanted);
};
