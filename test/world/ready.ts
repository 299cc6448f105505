import { setTimeout as sleep } from "node:timers/promises";

/** Resolves once the address answers with success; rejects if it does not within 30 s. */
export const untilReady = async (url: string): Promise<void> => {
  const end = Date.now() + 30_000;
  for (;;) {
    const ready = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return;
    if (Date.now() > end) throw new Error(`${url} was not ready within 30 s`);
    await sleep(100);
  }
};
