import { RequestError } from "../../inference/errors.ts";

/** A number of bytes that all requests share, so that many large bodies together cannot take the memory of the process. */
export type Budget = { left: number };

/** What one request has taken of the budget. */
export type Lease = {
  /** Throws Overloaded where the budget has not so many bytes left, and Cancelled after `end`. */
  take(bytes: number): void;
  /** Gives back what was taken. */
  release(): void;
  /** Gives back what was taken, and takes no more: work that goes on for a client that has left must not. */
  end(): void;
};

export const createLease = (budget: Budget): Lease => {
  let taken = 0;
  let ended = false;
  const release = (): void => {
    budget.left += taken;
    taken = 0;
  };
  return {
    take(bytes) {
      if (ended) throw new RequestError("Cancelled", "the client has gone");
      if (bytes > budget.left) throw new RequestError("Overloaded", "too many large requests at once; try again", 1);
      budget.left -= bytes;
      taken += bytes;
    },
    release,
    end() {
      release();
      ended = true;
    },
  };
};
