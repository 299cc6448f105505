/** One connection to each router, for as long as it is there; opened again when it ends. */
import type { Line } from "./tally.ts";

/** Resolves when there is nothing more to hear, with why. */
export type Hear = (address: string, onLine: (line: Line) => void, signal: AbortSignal) => Promise<string>;

export type Router = { namespace: string; name: string; address: string };

export type Ears = {
  /** These are there now. Connections to others end. */
  listenTo(routers: readonly Router[], signal: AbortSignal): void;
  /** Which router of the namespace is not heard, and why; undefined: all are, and there is one. */
  deafTo(namespace: string): string | undefined;
};

type Ear = { router: Router; ended: AbortController; isHeard: boolean; why: string; againAt: number; tries: number };

/** What usually stands behind such an error. */
const hintOf = (why: string): string => {
  if (/timeout|timed out|EHOSTUNREACH|ENETUNREACH/i.test(why))
    return ": a NetworkPolicy may drop the operator's connections";
  return /ECONNRESET|other side closed|HTTP \d+|ended/i.test(why)
    ? ": a mesh may refuse connections without its mutual TLS"
    : "";
};

/** There are two in a namespace, and a third while they are replaced: whoever scales them up gets no more connections for it. */
const MOST_IN_NAMESPACE = 16;
const FIRST_MS = 200;
const LONGEST_MS = 5000;

export const createEars = (
  hear: Hear,
  events: { line(namespace: string, address: string, line: Line): void; lost(address: string): void },
  now: () => number = () => performance.now(),
): Ears => {
  const ears = new Map<string, Ear>();

  const open = (ear: Ear, signal: AbortSignal): void => {
    const { address, namespace } = ear.router;
    ear.againAt = Number.POSITIVE_INFINITY;
    const onLine = (line: Line): void => {
      ear.isHeard = true;
      ear.tries = 0;
      events.line(namespace, address, line);
    };
    const end = (why: string): void => {
      ear.isHeard = false;
      ear.why = why;
      ear.againAt = now() + Math.min(LONGEST_MS, FIRST_MS * 2 ** ear.tries++);
      events.lost(address);
    };
    hear(address, onLine, AbortSignal.any([signal, ear.ended.signal])).then(end, (error: unknown) =>
      end(error instanceof Error ? error.message : String(error)),
    );
  };

  return {
    listenTo(routers, signal) {
      const wanted = new Map(routers.map((router) => [router.address, router]));
      for (const [address, ear] of ears) {
        if (wanted.has(address)) continue;
        ear.ended.abort();
        ears.delete(address);
      }
      const counts = new Map<string, number>();
      for (const [address, router] of wanted) {
        const ear = ears.get(address) ?? {
          ...{ router, ended: new AbortController(), isHeard: false, why: "not tried yet", againAt: 0, tries: 0 },
        };
        ears.set(address, ear);
        const count = (counts.get(router.namespace) ?? 0) + 1;
        counts.set(router.namespace, count);
        if (count > MOST_IN_NAMESPACE)
          ear.why = `the operator connects to at most ${MOST_IN_NAMESPACE} routers of a namespace`;
        else if (now() >= ear.againAt) open(ear, signal);
      }
    },
    deafTo(namespace) {
      const here = [...ears.values()].filter(({ router }) => router.namespace === namespace);
      if (here.length === 0) return "no router is ready";
      const deaf = here.find(({ isHeard }) => !isHeard);
      return deaf && `router ${deaf.router.name} does not report its counts (${deaf.why})${hintOf(deaf.why)}`;
    },
  };
};
