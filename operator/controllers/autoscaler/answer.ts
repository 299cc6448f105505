/** What the reconciler is told of a ModelDeployment. */
import type { Decision } from "../../domain/scaling/decide.ts";
import type { Scale } from "../../domain/scaling/scale.ts";
import { startSeconds } from "../../domain/scaling/start-time.ts";
import { inWords } from "../../domain/scaling/words.ts";
import type { Within } from "./devices.ts";
import type { Entry } from "./entry.ts";

/** @param deaf which router is not heard, and why */
export const scaleOf = (
  { canary, memory, phases }: Entry,
  decision: Decision,
  { shortage, wanted }: Within,
  deaf: string | undefined,
): Scale => ({
  wanted,
  canary: canary?.memory.wanted,
  why: shortage !== undefined ? "devices" : deaf !== undefined ? "blind" : decision.why,
  words: inWords(decision),
  learnt: {
    ...{ startSeconds: startSeconds(memory.starts), curve: memory.curve },
    ...(phases === undefined ? {} : { phases }),
  },
  shortage,
  deaf,
});

/** The words, and what was learnt, are no news by themselves. */
export const isNews = (one: Scale, before: Scale): boolean =>
  one.wanted !== before.wanted ||
  one.canary !== before.canary ||
  one.shortage !== before.shortage ||
  one.deaf !== before.deaf;
