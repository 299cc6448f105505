import type { KeptBytes } from "../kept-bytes.ts";
import { MOST_ANSWER } from "./read-answer.ts";

/** Of the bytes that the router keeps: a request's body and its two answers, of which most are far smaller than the largest. */
export type Memory = {
  /** False where there is no room for answers of so many bytes. */
  grow(answers: number): boolean;
  give(): void;
};

export const takeMemory = (kept: KeptBytes, body: number): Memory | undefined => {
  let taken = body + MOST_ANSWER;
  if (!kept.take(taken)) return undefined;
  return {
    grow: (answers) => {
      const more = body + answers - taken;
      if (more <= 0) return true;
      if (!kept.take(more)) return false;
      taken += more;
      return true;
    },
    give: () => kept.give(taken),
  };
};
