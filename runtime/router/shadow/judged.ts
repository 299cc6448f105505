/** Two answers to one request, read and judged. */
import type { Message } from "../message.ts";
import type { Tolerance } from "./compare.ts";
import { type Judgement, judge } from "./judge.ts";
import { type Answer, MOST_ANSWER, MOST_THEIRS, readAnswer } from "./read-answer.ts";

/** `message`: what was asked; `ours`: stable's. */
export type AnswerPair = {
  message: Pick<Message, "protocol" | "target">;
  ours: Answer;
  theirs: Answer;
  tolerances: ReadonlyMap<string, Tolerance>;
};

export const judged = async ({ message, ours, theirs, tolerances }: AnswerPair): Promise<Judgement> => {
  const stable = await readAnswer(message, ours, MOST_ANSWER);
  const other = await readAnswer(message, theirs, MOST_THEIRS);
  return judge(stable, other, tolerances);
};
