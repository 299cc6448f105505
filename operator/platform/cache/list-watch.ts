/**
 * How a cache follows one kind, as a state machine without I/O:
 *
 *   listing ──last page──▶ watching ──ended──▶ watching (again, from the last resourceVersion)
 *      ▲  ▲                   │  │
 *      │  └──expired (410)────┘  └──failed──▶ waiting ──▶ watching
 *      └────────────────────── waiting ◀──failed, or expired twice ──┘
 *
 * The reflector does what the state says, and hands back what came of it.
 */

/** Where to go on: a list from its start or its next page, or a watch after a resourceVersion. */
export type Position =
  | { phase: "listing"; continue: string | undefined }
  | { phase: "watching"; resourceVersion: string; since: number };

/** `attempt` counts failures in a row, `relisted` says that an expiry has been answered with a list at once. */
export type State = { attempt: number; relisted: boolean } & (
  | Position
  | { phase: "waiting"; ms: number; next: Position }
);

export type Input =
  | { type: "page"; resourceVersion: string; continue?: string }
  | { type: "seen"; resourceVersion: string }
  | { type: "ended" }
  | { type: "failed"; expired: boolean; retryAfterMs?: number | undefined }
  | { type: "waited" };

/** What a step is told from outside: a monotonic clock in milliseconds, and a number in [0, 1). */
export type Chance = { now: number; random: number };

/** The delay before the attempt after `attempt` failures: 0.8 s doubling up to 30 s, less up to a half at random. */
export const backoff = (attempt: number, random: number): number =>
  Math.min(30_000, 800 * 2 ** Math.min(attempt, 10)) * (1 - random / 2);

/** A watch that lasted longer than the longest delay counts as recovery. */
const STEADY_MS = 30_000;
/** A watch that the server ends sooner than this is a failure, or a broken server would be asked without a pause. */
const SHORTEST_WATCH_MS = 1_000;

const LIST: Position = { phase: "listing", continue: undefined };

export const start: State = { ...LIST, attempt: 0, relisted: false };

export const step = (state: State, input: Input, { now, random }: Chance): State => {
  const { attempt, relisted } = state;
  const wait = (next: Position, failures: number, atLeast = 0, atMost = Number.POSITIVE_INFINITY): State => ({
    phase: "waiting",
    ms: Math.max(atLeast, Math.min(atMost, backoff(failures, random))),
    next,
    attempt: failures + 1,
    relisted,
  });

  switch (state.phase) {
    case "waiting": {
      if (input.type !== "waited") return state;
      const { next } = state;
      return { ...(next.phase === "watching" ? { ...next, since: now } : next), attempt, relisted };
    }

    case "listing":
      if (input.type === "page") {
        return input.continue === undefined
          ? { phase: "watching", resourceVersion: input.resourceVersion, since: now, attempt, relisted }
          : { ...state, continue: input.continue };
      }
      // A page that failed, or whose continue token expired: the pages so far may be of another moment, so from the start.
      return input.type === "failed" ? wait(LIST, attempt, input.retryAfterMs) : state;

    case "watching": {
      if (input.type === "seen") return { ...state, resourceVersion: input.resourceVersion };
      const lasted = now - state.since;
      const steady = lasted >= STEADY_MS;
      const failures = steady ? 0 : attempt;
      // One that is cut every five seconds may be opened again within five: while it lasted, it showed us what happened.
      const atMost = lasted < SHORTEST_WATCH_MS ? undefined : lasted;
      const again: Position = { phase: "watching", resourceVersion: state.resourceVersion, since: now };
      if (input.type === "ended") {
        if (lasted < SHORTEST_WATCH_MS) return wait(again, failures);
        return { ...again, attempt: failures, relisted: relisted && !steady };
      }
      if (input.type !== "failed") return state;
      if (!input.expired) return wait(again, failures, input.retryAfterMs, atMost);
      return relisted && !steady ? wait(LIST, failures) : { ...LIST, attempt: failures, relisted: true };
    }
  }
};
