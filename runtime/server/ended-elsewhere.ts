/** Whether another server of the same revision has found that batches change answers: a file says so, once that is known. */
import { readFile } from "node:fs/promises";
import type { After } from "../event-loop/after.ts";

const LOOK_MS = 10_000;
/** Of its words, those that a status has room for, in one line. */
const MOST_WORDS = 400;

/** Calls `tell` once, with what the file says. */
export const watchEnded = (file: string, tell: (found: string) => void, after: After): void => {
  const look = async (): Promise<void> => {
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) after(LOOK_MS, () => void look());
    else
      tell(
        text
          .replace(/[\s\p{C}]+/gu, " ")
          .trim()
          .slice(0, MOST_WORDS),
      );
  };
  void look();
};
