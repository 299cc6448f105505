/** Runs `run` after `ms`. `refresh` begins anew, also where it has run; `close` takes it back. */
export type After = (ms: number, run: () => void) => { refresh(): void; close(): void };

/** What waits for nothing but a timer ends. */
export const after: After = (ms, run) => setTimeout(run, ms).unref();
