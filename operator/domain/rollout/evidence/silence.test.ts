import assert from "node:assert/strict";
import { it } from "node:test";
import { NO_PAIRS } from "./arms.ts";
import { NO_SILENCE, observeSilence } from "./silence.ts";

const counts = (requests: number, errors: number) => [{ pod: "a", requests, errors, buckets: [] }];
const interval = (stable: [number, number], canary: [number, number]) => ({
  ...{ stable: counts(...stable), canary: counts(...canary), pairs: NO_PAIRS },
});

it("a revision is silent as long as each of its requests fails, and no requests tell nothing", () => {
  const second = observeSilence(observeSilence(NO_SILENCE, interval([9, 9], [1, 0])), interval([5, 5], [2, 2]));
  assert.deepEqual(second, { stable: 2, canary: 1 });
  assert.deepEqual(observeSilence(second, interval([0, 0], [0, 0])), second);
  assert.deepEqual(observeSilence(second, interval([100, 99], [1, 1])), { stable: 0, canary: 2 });
});
