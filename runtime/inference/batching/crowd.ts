/** What is kept of requests that come close to each other. */

/**
 * Clients that send their next request when they have their answer come back one after the other. Were the first of them
 * run at once, the others would wait for it, and so on for ever: runs of 1 and 7. So a batch that is smaller than what
 * is usually unanswered at a time waits for a moment. One client at a time, or two, are never waited for.
 */
export type Crowd = {
  /** Items in runs. */
  running: number;
  /** The most items unanswered at a time since the last run began; and lately. */
  peak: number;
  usual: number;
  /** Since when a batch is held; undefined: none is. */
  heldSince: number | undefined;
};

export const newCrowd = (): Crowd => ({ running: 0, peak: 0, usual: 0, heldSince: undefined });
