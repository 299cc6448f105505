/**
 * What may be spent on running requests of batches again, alone: a share of the time that runs for requests have taken. Times
 * in milliseconds of a shard.
 */
export type Budget = { ranMs: number; spentMs: number };

/** Of a thousand milliseconds of runs, five. */
export const SHARE = 0.005;

export const newBudget = (): Budget => ({ ranMs: 0, spentMs: 0 });

/** Whether something that will take so long is within the share. What takes longer than that is made up for before the next. */
export const affords = ({ ranMs, spentMs }: Budget, expectedMs: number): boolean =>
  spentMs + expectedMs <= SHARE * ranMs;
