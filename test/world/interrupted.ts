import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * On SIGINT, SIGTERM or SIGHUP: `cleanUp`, then the exit code that a shell gives, 128 and the signal's number. A second one ends the process at once.
 * @param cleanUp what Node would leave behind; it may run beside the `finally` of the code that is interrupted
 */
export const whenInterrupted = (cleanUp: (signal: NodeJS.Signals) => Promise<void>): void => {
  const interrupted = (signal: NodeJS.Signals): void => {
    for (const each of SIGNALS) process.removeListener(each, interrupted);
    console.error(`${signal}: cleaning up; once more ends this at once and leaves what there is`);
    void cleanUp(signal)
      .catch((error: unknown) => console.error(`cannot clean up: ${error instanceof Error ? error.message : error}`))
      .finally(() => process.exit(128 + constants.signals[signal]));
  };
  for (const signal of SIGNALS) process.on(signal, interrupted);
};
