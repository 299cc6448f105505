/** Puts an answer together from what an exchange tells of it. */
import type { AnswerHead, Fields } from "../message.ts";
import type { Answer } from "./read-answer.ts";

/** `large`: more than there is room for; `cut`: it does not come to an end. */
export type Collected = Answer | "large" | "cut";

/** @param done called once; @param fits whether an answer of so many bytes may be kept */
export const collect = (fits: (bytes: number) => boolean, done: (collected: Collected) => void) => {
  let head: AnswerHead | undefined;
  let pieces: Buffer[] = [];
  let bytes = 0;
  let over = false;
  const finish = (collected: Collected): void => {
    if (over) return;
    over = true;
    pieces = [];
    done(collected);
  };
  return {
    head: (found: AnswerHead) => {
      head = found;
    },
    data: (piece: Buffer) => {
      if (over) return;
      // what came with it is not kept for it
      pieces.push(piece.length * 2 < piece.buffer.byteLength ? Buffer.from(piece) : piece);
      bytes += piece.length;
      if (!fits(bytes)) finish("large");
    },
    /** `outcome`: as in the head, where the trailers have changed it. */
    end: (trailers: Fields, outcome?: number) => {
      if (head === undefined) return finish("cut");
      const fields = [...head.fields, ...trailers];
      finish({ head: { ...head, fields, outcome: outcome ?? head.outcome }, bytes: Buffer.concat(pieces) });
    },
    drop: () => finish("cut"),
  };
};
