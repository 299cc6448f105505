import { until } from "./patience.ts";

/** Resolves once the address answers with success. */
export const untilReady = (url: string): Promise<void> =>
  until(`${url} answers`, () =>
    fetch(url).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
