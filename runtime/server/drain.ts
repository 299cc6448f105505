import type { DataServer } from "./http.ts";

/** An idle connection may just be about to carry a request; one that has been idle this long is closed. */
const IDLE_MS = 1000;
const TICK_MS = 50;

/**
 * Ends the data port without failing a request: goes on accepting connections until none has brought a request for
 * `quietMs` (others must first learn that this server is leaving) or `acceptMs` are over, tells each client to close, and
 * resolves when the last connection is gone.
 */
export const drain = async (data: DataServer, quietMs: number, acceptMs: number): Promise<void> => {
  const started = performance.now();
  data.closeConnections();
  for (;;) {
    const now = performance.now();
    data.closeIdleSince(now - Math.min(IDLE_MS, acceptMs));
    const quietSince = Math.max(started, data.lastActivity());
    if (data.inFlight() === 0 && now - quietSince >= quietMs) break;
    if (now - started >= acceptMs) break;
    await sleep(TICK_MS);
  }
  // Stops listening, and closes connections as they become idle.
  await new Promise<void>((resolve) => data.server.close(() => resolve()));
};

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
