/** Tells what was decided, within what there is room for. */
import type { Allocation } from "../../domain/placement/ledger.ts";
import type { Sliced } from "../../domain/placement/slices.ts";
import type { Surveyed } from "../../domain/placement/surveyed.ts";
import type { Decision } from "../../domain/scaling/decide.ts";
import { isNews, scaleOf } from "./answer.ts";
import { type Within, within } from "./devices.ts";
import type { Entry } from "./entry.ts";
import { isKnown, type Look, MOST_IN_SLICE, type ScalerState } from "./state.ts";

/** A router that has just come is connected to within a second. */
const DEAF_MS = 10_000;

/** @param allocation undefined where the nodes' room is no bound */
export function* publishAll(
  state: ScalerState,
  looks: readonly Look[],
  seen: Surveyed | undefined,
  allocation: Allocation | undefined,
  now: number,
): Sliced<void> {
  for (const [i, { decision, entry, look }] of looks.entries()) {
    if (i > 0 && i % MOST_IN_SLICE === 0) yield;
    const isOutdated = () => look !== entry.looks || !isKnown(state, entry);
    if (isOutdated()) continue;
    try {
      const bounded = yield* within(entry, decision, seen, allocation);
      // what is missing is added up over all nodes, in slices
      if (!isOutdated()) publish(state, entry, decision, bounded, now);
    } catch (error) {
      state.options.failed(error, entry.key);
    }
  }
}

const publish = (
  { ears, options }: ScalerState,
  entry: Entry,
  decision: Decision,
  bounded: Within,
  now: number,
): void => {
  const { key, scale: before } = entry;
  const isDeaf = entry.deafSince !== undefined && now - entry.deafSince >= DEAF_MS;
  const scale = scaleOf(entry, decision, bounded, isDeaf ? ears.deafTo(key.namespace) : undefined);
  // what is wanted and cannot be had is wanted still: the memory keeps to what there will be
  entry.memory = { ...entry.memory, wanted: scale.wanted };
  options.report(key, scale, decision.uncapped);
  if (!isNews(scale, before)) return;
  entry.scale = scale;
  options.changed(key);
};
