/** The decision that Berth ships, asked as the others are. */
import { decide, type Memory, remember, type ScalingSettings } from "../../../operator/domain/scaling/decide.ts";
import type { RunCurve } from "../../../operator/domain/scaling/signals.ts";
import { withStart } from "../../../operator/domain/scaling/start-time.ts";
import type { MakeRule } from "./rules.ts";

/** What servers tell once they are ready. */
export const berth =
  (curve: RunCurve, settings: Partial<ScalingSettings> = {}): MakeRule =>
  ({ most }) => {
    let memory: Memory | undefined;
    const all: ScalingSettings = {
      ...{ min: 0, max: most, target: { kind: "utilization", share: 0.7 }, idleSeconds: 300 },
      ...settings,
    };
    return (view) => {
      const { now, ready, started } = view;
      memory ??= remember(now, view.pods);
      for (const seconds of started) memory = { ...memory, starts: withStart(memory.starts, seconds) };
      if (ready > 0) memory = { ...memory, curve };
      const next = decide(memory, view, all, now);
      memory = next.memory;
      return next.decision.wanted;
    };
  };
