/** An answer of the API server: its `Date`, and when the request went and the answer came, by the monotonic clock. */
export type Heard = { date: string; sentAt: number; at: number };

/**
 * The API server's time, which every operator that leads reads alike, whatever its own node's clock says: from the `Date` of the
 * server's answers, carried on by the monotonic clock. Milliseconds.
 */
export type ServerClock = {
  /** Milliseconds since 1970. Never goes back: where the server's clock does, it runs at half speed until they meet again. */
  now(): number;
  heard(answer: Heard): void;
};

export type ServerClockOptions = {
  monotonic?: () => number;
  /** This node's own clock: what there is until the first answers, and never looked at for the time again. */
  wall?: () => number;
  /** Told when this node's clock is off by seconds, and when by how much has changed. */
  onSkew?: (aheadMs: number) => void;
};

/** Between what two answers say of the server's time minus the monotonic clock's, which NTP speeds up by 0.05 % at most. */
type Bounds = { low: number; high: number; at: number };

const DRIFT = 0.001;
/** `Date` counts whole seconds. */
const DATE_MS = 1000;
/** So many answers that agree make another time the right one: a proxy may put its own date into one that it gives itself. */
const AGREEING = 3;
/** What makes a node's clock worth a word. */
export const SKEW_MS = 5_000;

const at = ({ low, high, at }: Bounds, now: number): Bounds => {
  const drift = (now - at) * DRIFT;
  return { low: low - drift, high: high + drift, at: now };
};
const agree = (one: Bounds, other: Bounds): boolean => one.low <= other.high && other.low <= one.high;
const both = (one: Bounds, other: Bounds): Bounds => ({
  low: Math.max(one.low, other.low),
  high: Math.min(one.high, other.high),
  at: other.at,
});

export const createServerClock = (options: ServerClockOptions = {}): ServerClock => {
  const { monotonic = () => performance.now(), wall = Date.now, onSkew = () => undefined } = options;
  const startedAt = monotonic();
  const started = wall();
  let known: Bounds | undefined;
  let other: { bounds: Bounds; answers: number } | undefined;
  let offset: number | undefined;
  let last: { at: number; time: number } | undefined;
  let skew = 0;

  const learn = (sample: Bounds): void => {
    const before = known && at(known, sample.at);
    if (before !== undefined && agree(before, sample)) known = both(before, sample);
    else {
      const rival = other && at(other.bounds, sample.at);
      const isSame = rival !== undefined && agree(rival, sample);
      other = isSame
        ? { bounds: both(rival, sample), answers: (other?.answers ?? 0) + 1 }
        : { bounds: sample, answers: 1 };
      if (other.answers < AGREEING) return;
      known = other.bounds;
    }
    other = undefined;
  };

  return {
    now() {
      const now = monotonic();
      if (known === undefined) return Math.floor(started + (now - startedAt));
      const { low, high } = known;
      offset = Math.min(high, Math.max(low, offset ?? (low + high) / 2));
      const slowest = last === undefined ? Number.NEGATIVE_INFINITY : last.time + (now - last.at) / 2;
      last = { at: now, time: Math.max(now + offset, slowest) };
      return Math.floor(last.time);
    },
    heard({ date, sentAt, at: now }) {
      const time = Date.parse(date);
      if (Number.isNaN(time)) return;
      learn({ low: time - now, high: time + DATE_MS - sentAt, at: now });
      if (known === undefined) return;
      const ahead = wall() - now - (known.low + known.high) / 2;
      if (Math.abs(ahead - skew) < SKEW_MS) return;
      skew = ahead;
      onSkew(ahead);
    },
  };
};
