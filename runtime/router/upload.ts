/** What is known of a request's body on its way to a pod. */
import type { Message } from "./message.ts";

export type Upload = {
  /** With a body that tells of itself. */
  message: Message;
  /** A pod has got some of it, so that it cannot be sent to another one. */
  isTaken(): boolean;
  isWhole(): boolean;
  /** Its length is known. */
  isMeasured: boolean;
  /** When the client sent something last, in ms. */
  movedAt(): number;
  /** To be told when it is whole; the last one who asks is told. */
  onWhole(told: () => void): void;
};

/** Of a body that is kept, and that nobody needs to watch. */
const KEPT = {
  isTaken: () => false,
  isWhole: () => true,
  isMeasured: true,
  movedAt: () => 0,
  onWhole: () => undefined,
};

export const watchUpload = (message: Message, now: () => number): Upload => {
  const { body } = message;
  if (body.kind === "whole") return { message, ...KEPT };
  const { source } = body;
  let taken = false;
  let movedAt = now();
  let told = (): void => undefined;
  const read: typeof source.read = (onData, onEnd) => {
    taken = true;
    source.read(
      (piece) => {
        movedAt = now();
        onData(piece);
      },
      () => {
        movedAt = now();
        onEnd();
        told();
      },
    );
  };
  return {
    message: { ...message, body: { ...body, source: { ...source, read } } },
    isTaken: () => taken,
    isWhole: source.isWhole,
    isMeasured: body.length !== undefined,
    movedAt: () => movedAt,
    onWhole: (tell) => {
      told = tell;
    },
  };
};
