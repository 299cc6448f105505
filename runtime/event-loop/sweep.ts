/**
 * Calls `sweep` of all connections each `everyMs`: one timer for all, and none while there are none.
 * @returns to be called when a connection has come
 */
export const createSweep = (
  connections: ReadonlySet<{ sweep(now: number): void }>,
  everyMs: number,
  now: () => number,
): (() => void) => {
  let sweeping = false;
  const sweepLater = (): void => {
    if (sweeping) return;
    sweeping = true;
    setTimeout(() => {
      // Timers come before the sockets: after a pause of the event loop, what has come in the meantime must be read first,
      // or a connection that carries a request would be taken for an idle one.
      setImmediate(() => {
        sweeping = false;
        const time = now();
        for (const connection of connections) connection.sweep(time);
        if (connections.size > 0) sweepLater();
      });
    }, everyMs).unref();
  };
  return sweepLater;
};
