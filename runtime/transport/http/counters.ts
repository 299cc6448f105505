/** Plain numbers, so that counting costs next to nothing; whoever wants metrics takes a snapshot. */

/** Upper bounds in seconds: 1 ms to about 16 s, each the double of the one before. */
const DURATION_BOUNDS: readonly number[] = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);

export type Counters = {
  /** Connections since the start, also those that were turned away. */
  accepted: number;
  /** Requests whose header is read and whose answer is not written yet. */
  inFlight: number;
  /** Answers by status. */
  statuses: Float64Array;
  /** Of POST requests, from the end of the header to the answer: how many took at most each bound; the last: more. */
  durations: Float64Array;
  seconds: number;
};

export type HttpSnapshot = {
  connections: number;
  accepted: number;
  inFlight: number;
  requests: Record<string, number>;
  /** `counts` has one more than `bounds`: what took longer than the last. */
  duration: { bounds: readonly number[]; counts: number[]; sumSeconds: number };
};

export const createCounters = (): Counters => ({
  accepted: 0,
  inFlight: 0,
  statuses: new Float64Array(600),
  durations: new Float64Array(DURATION_BOUNDS.length + 1),
  seconds: 0,
});

export const countStatus = (counters: Counters, status: number): void => {
  counters.statuses[status] = (counters.statuses[status] ?? 0) + 1;
};

export const countDuration = (counters: Counters, seconds: number): void => {
  let bucket = 0;
  while (bucket < DURATION_BOUNDS.length && seconds > (DURATION_BOUNDS[bucket] ?? 0)) bucket++;
  counters.durations[bucket] = (counters.durations[bucket] ?? 0) + 1;
  counters.seconds += seconds;
};

export const snapshotOf = (counters: Counters, connections: number): HttpSnapshot => {
  const requests: Record<string, number> = {};
  counters.statuses.forEach((count, status) => {
    if (count > 0) requests[status] = count;
  });
  return {
    connections,
    accepted: counters.accepted,
    inFlight: counters.inFlight,
    requests,
    duration: { bounds: DURATION_BOUNDS, counts: [...counters.durations], sumSeconds: counters.seconds },
  };
};
