import { Failure } from "../../termination.ts";

/** Bytes of a model as one attempt delivers them. */
export type Opened = {
  /** The first byte's place in the model: that which was asked for, or 0. */
  offset: number;
  /** The model's whole size, where it is known. */
  total: number | undefined;
  /** What proves that a later range is of the same bytes (a strong ETag, or a date). */
  validator: string | undefined;
  body: AsyncIterable<Uint8Array>;
};

export type Resume = { offset: number; validator: string };

/** Opens a model. Throws a Failure, or a TransientFailure where another attempt may help. */
export type Source = (resume: Resume | undefined) => Promise<Opened>;

/** ModelUnreachable for a reason that often passes. */
export class TransientFailure extends Failure {
  constructor(message: string) {
    super("ModelUnreachable", message);
  }
}
