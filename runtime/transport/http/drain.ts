/** How a server ends without failing a request. */
import type { Server } from "node:net";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { Connection } from "./connection.ts";
import type { Counters } from "./counters.ts";
import type { Shared } from "./shared.ts";

type Draining = { server: Server; connections: ReadonlySet<Connection>; shared: Shared };

const DRAIN_TICK_MS = 50;
/** An idle connection may just be about to carry a request; in a drain one that has been idle this long is closed. */
const DRAIN_IDLE_MS = 1000;

export const drain = async (
  { connections, server, shared }: Draining,
  { acceptMs, quietMs }: { quietMs: number; acceptMs: number },
): Promise<void> => {
  const idleMs = Math.min(DRAIN_IDLE_MS, acceptMs);
  shared.closing = true;
  await untilQuiet(shared, connections, { acceptMs, idleMs, quietMs });
  const held: (() => void)[] = [];
  shared.held = held;
  await emptyBacklog(shared.counters);
  const { promise, resolve } = Promise.withResolvers<void>();
  let open = true;
  server.close(() => {
    open = false;
    resolve();
  });
  shared.held = undefined;
  for (const send of held) send();
  // What was accepted last still gets its answer, and a connection that says nothing is not waited for.
  while (open || connections.size > 0) {
    await Promise.race([promise, sleep(DRAIN_TICK_MS)]);
    await closeIdle(shared, connections, idleMs);
  }
};

/** Others must first learn that this server leaves: until then requests come. */
const untilQuiet = async (
  shared: Shared,
  connections: ReadonlySet<Connection>,
  { acceptMs, idleMs, quietMs }: { acceptMs: number; idleMs: number; quietMs: number },
): Promise<void> => {
  const started = shared.now();
  for (;;) {
    await closeIdle(shared, connections, idleMs);
    const now = shared.now();
    const quietSince = Math.max(started, shared.lastActivity);
    if (now - started >= acceptMs || (shared.counters.inFlight === 0 && now - quietSince >= quietMs)) return;
    await sleep(DRAIN_TICK_MS);
  }
};

const closeIdle = async (shared: Shared, connections: ReadonlySet<Connection>, idleMs: number): Promise<void> => {
  await turn();
  const time = shared.now() - idleMs;
  for (const connection of connections) connection.closeIdleSince(time);
};

/**
 * Closing the port resets the connections that the kernel has made and nobody has accepted yet. Clients that wait for an
 * answer make no new ones: so answers are held until for some turns none came. One that comes just then is lost; that is
 * why the port stays open while others learn that it will close.
 */
const emptyBacklog = async (counters: Counters): Promise<void> => {
  for (let total = 0, empty = 0; total < 50 && empty < 4; total++) {
    const before = counters.accepted;
    await sleep(5);
    await turn();
    empty = counters.accepted === before ? empty + 1 : 0;
  }
};
