import assert from "node:assert/strict";
import { test } from "node:test";
import { createFetchWatch, inWords } from "./fetching.ts";

const GIB = 2 ** 30;
const KEY = { namespace: "default", name: "a" };

test("progress in words", () => {
  assert.equal(inWords({ bytes: 0, seconds: 0 }), "the model's server has sent no byte yet");
  assert.equal(inWords({ bytes: GIB, seconds: 60 }), "1.0 GiB of the model fetched");
  const of = (seconds: number) => inWords({ bytes: GIB, total: 4 * GIB, seconds });
  assert.equal(of(80), "1.0 GiB of 4.0 GiB fetched, about 4 min left");
  assert.equal(of(10), "1.0 GiB of 4.0 GiB fetched, less than a minute left");
  assert.equal(of(3600), "1.0 GiB of 4.0 GiB fetched, about 3 h left");
});

test("a pod is asked when it has taken ten seconds, and every thirty from then on", async () => {
  let asked = 0;
  const { look } = createFetchWatch(() => Promise.resolve({ bytes: ++asked, seconds: 1 }));
  const fetching = { pod: "uid-1", address: "10.0.0.1", since: 1000 };
  assert.deepEqual(await look(KEY, fetching, 5000), { againAfterMs: 6000 });
  assert.deepEqual(await look(KEY, fetching, 11_000), { progress: { bytes: 1, seconds: 1 }, againAfterMs: 30_000 });
  assert.deepEqual(await look(KEY, fetching, 31_000), { progress: { bytes: 1, seconds: 1 }, againAfterMs: 10_000 });
  assert.deepEqual(await look(KEY, { ...fetching, pod: "uid-2" }, 31_000), {
    progress: { bytes: 2, seconds: 1 },
    againAfterMs: 30_000,
  });
  assert.deepEqual(await look(KEY, undefined, 32_000), {});
  assert.equal(asked, 2);
});
