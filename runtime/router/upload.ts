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

const never = (): boolean => false;
const always = (): boolean => true;
const begin = (): number => 0;
const ignore = (): void => undefined;

export const watchUpload = (message: Message, now: () => number): Upload => {
  const { body } = message;
  // it is kept, and nobody needs to watch it
  if (body.kind === "whole")
    return { message, isTaken: never, isWhole: always, isMeasured: true, movedAt: begin, onWhole: ignore };
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
