/** The rules of leader election on a Lease, without I/O. All durations in milliseconds, all times of the local monotonic clock. */

/** client-go's defaults; the lease must outlast the renewing, and the renewing several tries. */
export const LEASE_MS = 15_000;
/** A leader that has not renewed for this long stops being one: 5 s before anybody else may follow. */
export const RENEW_DEADLINE_MS = 10_000;
export const RETRY_MS = 2_000;

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
export const isValid = (renewedAt: number | undefined, now: number): boolean =>
  renewedAt !== undefined && now - renewedAt < RENEW_DEADLINE_MS;

/** The wait before the next try; the jitter of up to 20 % keeps standbys from asking in step. */
export const retryAfter = (random: number): number => RETRY_MS * (1 + 0.2 * random);
