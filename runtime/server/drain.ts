import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { DataServer } from "./http.ts";

/** An idle connection may just be about to carry a request; one that has been idle this long is closed. */
const IDLE_MS = 1000;
const TICK_MS = 50;

/**
 * Ends the data port without failing a request: goes on accepting connections until none has brought a request for
 * `quietMs` (others must first learn that this server is leaving) or `acceptMs` are over, tells each client to close, and
 * resolves when the last connection is gone. `pauseRuns` resolves when no run is left, to what lets the next ones begin.
 */
export const drain = async (
  data: DataServer,
  quietMs: number,
  acceptMs: number,
  pauseRuns: () => Promise<() => void>,
): Promise<void> => {
  const started = performance.now();
  data.closeConnections();
  const closeIdle = async (): Promise<void> => {
    // After a run that blocked the event loop, timers come before the sockets: what has arrived in the meantime must be
    // read first, or a connection that carries a request would be taken for an idle one.
    await turn();
    data.closeIdleSince(performance.now() - Math.min(IDLE_MS, acceptMs));
  };
  for (;;) {
    await closeIdle();
    const now = performance.now();
    const quietSince = Math.max(started, data.lastActivity());
    if (now - started >= acceptMs || (data.inFlight() === 0 && now - quietSince >= quietMs)) break;
    await sleep(TICK_MS);
  }
  const resume = await pauseRuns();
  await emptyBacklog(data);
  let open = true;
  data.server.close(() => {
    open = false;
  });
  resume();
  // What was accepted last still gets its answer, and a connection that says nothing is not waited for.
  while (open) {
    await sleep(TICK_MS);
    await closeIdle();
  }
};

/**
 * Closing the port resets the connections that the kernel has made and nobody has accepted yet. So no run may block the
 * event loop now, and clients that wait for a held answer make no new connections: the port is closed when for some turns
 * none came. One that comes just then is lost; that is why the port stays open while others learn that it will close.
 */
const emptyBacklog = async (data: DataServer): Promise<void> => {
  for (let total = 0, empty = 0; total < 50 && empty < 4; total++) {
    const before = data.accepted();
    await sleep(5);
    await turn();
    empty = data.accepted() === before ? empty + 1 : 0;
  }
};
