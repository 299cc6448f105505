/** The rules of leader election on a Lease, without I/O. All durations in milliseconds, all times of the local monotonic clock. */

export type ElectionTimes = {
  /** Nobody else may follow before the lease was not renewed for this long. Whole seconds: the Lease holds no less. */
  leaseMs: number;
  /** A leader that has not renewed for this long stops being one. */
  renewDeadlineMs: number;
  /** Between two tries. */
  retryMs: number;
};

/** client-go's: a leader stops 5 s before anybody else may follow. */
export const ELECTION_TIMES: ElectionTimes = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 };

/** What is wrong with these times, in terms of the operator's options; undefined: nothing. */
export const faultOf = ({ leaseMs, renewDeadlineMs, retryMs }: ElectionTimes): string | undefined => {
  if (leaseMs % 1000 !== 0 || leaseMs === 0) return "--lease-duration must be whole seconds, at least 1s";
  // a timer of Node takes 24 days at most, and the Lease 68 years; nobody wants a standby that waits for longer than a day
  if (leaseMs > MOST_LEASE_MS) return "--lease-duration must be at most 24h";
  if (renewDeadlineMs >= leaseMs) return "--renew-deadline must be shorter than --lease-duration, or two could lead";
  if (retryMs * MOST_JITTER >= renewDeadlineMs || retryMs === 0) {
    return `--retry-period must be above 0 and, with its jitter (× ${MOST_JITTER}), shorter than --renew-deadline`;
  }
  return undefined;
};

const MOST_JITTER = 1.2;
const MOST_LEASE_MS = 24 * 3_600_000;

/** What a Lease says. */
export type Claim = { holder: string; durationMs: number; resourceVersion: string };

/** A claim and when we first saw it like this. The times written in the Lease come from other machines' clocks and are not trusted. */
export type Observed = { claim: Claim; at: number };

/** Keeps the time of the first sight as long as nothing was written to the Lease. */
export const observe = (before: Observed | undefined, claim: Claim, now: number): Observed =>
  before?.claim.resourceVersion === claim.resourceVersion ? before : { claim, at: now };

/** Whether `identity` may write itself into the Lease: it is ours, given up, or not renewed for its whole duration since we first saw it. */
export const mayClaim = ({ claim, at }: Observed, identity: string, now: number): boolean =>
  claim.holder === identity || claim.holder === "" || now - at > claim.durationMs;

/** Whether a leader that last renewed at `renewedAt` may still act. */
export const isValid = (renewedAt: number | undefined, now: number, { renewDeadlineMs }: ElectionTimes): boolean =>
  renewedAt !== undefined && now - renewedAt < renewDeadlineMs;

/** The wait before the next try; the jitter of up to 20 % keeps standbys from asking in step. */
export const retryAfter = (random: number, { retryMs }: ElectionTimes): number =>
  retryMs * (1 + (MOST_JITTER - 1) * random);
