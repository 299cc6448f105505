import { Failure } from "../../errors/termination.ts";

/** Bytes of a model as one attempt delivers them. */
export type Opened = {
  /** As messages name it. */
  shown: string;
  /** The first byte's place in the model: that which was asked for, or 0. */
  offset: number;
  /** The model's whole size, where it is known. */
  total: number | undefined;
  /** Whether the end of `body` is told from a cut one. */
  hasEnd: boolean;
  /** What proves that a later range is of the same bytes (a strong ETag, or a date). */
  validator: string | undefined;
  /** Why it begins at 0 though another place was asked for. */
  again?: string;
  body: AsyncIterable<Uint8Array>;
  /** Instead of reading it. */
  discard(): Promise<void>;
};

/** Where to go on, and with which bytes: all of them have one validator and one size. */
export type Resume = { offset: number; validator: string; total: number | undefined };

/** Opens a model. Throws a Failure, or a TransientFailure where another attempt may help. */
export type Source = (resume: Resume | undefined) => Promise<Opened>;

/** ModelUnreachable for a reason that often passes. */
export class TransientFailure extends Failure {
  /** What the server asks to be waited for. */
  readonly retryAfterMs: number | undefined;
  constructor(message: string, retryAfterMs?: number) {
    super("ModelUnreachable", message);
    this.retryAfterMs = retryAfterMs;
  }
}
