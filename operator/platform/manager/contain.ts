import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";

/** One operator serves all tenants: a fault that one object of theirs brings out must not stop the work for the others. */

const PAUSE_MS = 1_000;

/** Runs until the signal: what ends with an error before is logged and run again after a pause. */
export const keepRunning = async (
  work: { run(signal: AbortSignal): Promise<void> },
  log: Logger,
  signal: AbortSignal,
  pauseMs = PAUSE_MS,
): Promise<void> => {
  while (!signal.aborted) {
    try {
      return await work.run(signal);
    } catch (error) {
      log.error({ err: error }, "a bug in the operator ended a task; the task starts again");
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
};

/** A promise that is rejected while nobody waits for it is logged; Node would end the process. */
export const containRejections = (from: Pick<NodeJS.EventEmitter, "on">, log: Logger): void => {
  from.on("unhandledRejection", (error: unknown) =>
    log.error({ err: error }, "a bug in the operator ended a background task"),
  );
};
