import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deserialize, serialize } from "node:v8";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { LATENCY_EDGES } from "../../api/v1alpha1/index.ts";
import { createObserver } from "../../controllers/evidence/observer.ts";
import { countOn, startCounting } from "./counts.ts";
import { ANALYSIS, OUTPUTS } from "./evidence/evidence.ts";
import { recall } from "./memory.ts";
import type { Trial } from "./observation.ts";
import type { PodCounts, RouterCounts } from "./router-counts.ts";

const MOST = 131_072;
const BEGIN = Date.parse("2026-01-01T00:00:00Z");
const trial: Trial = {
  ...{ stable: "digits-0123abcd", canary: "digits-89abcdef", weight: 50, analysisKey: "key" },
  analysis: { ...ANALYSIS, outputs: OUTPUTS },
};

/** What two routers of a generation have counted of so many pods of each arm, `seconds` after they began. */
const countsOf = (pods: number, generation: number, seconds: number): RouterCounts[] => {
  const podOf = (i: number): PodCounts => {
    const buckets = LATENCY_EDGES.map((_, edge) =>
      Math.max(0, Math.floor(seconds * (3 - Math.abs(edge - 12 - (i % 5)) / 2))),
    );
    return {
      requests: buckets.reduce((sum, each) => sum + each, 0),
      errors: Math.floor(seconds / 40),
      buckets: [...buckets, 0],
    };
  };
  const arm = (revision: string) =>
    Object.fromEntries(
      Array.from({ length: pods }, (_, i) => [`${revision}-5d4f7c9b8d-${i.toString(36)}xq`, podOf(i)]),
    );
  return [1, 2].map((router) => ({
    id: `10.0.${generation}.${router} 2026-01-01T00:00:0${router}.000Z`,
    startedAt: BEGIN + generation,
    revisions: {
      [trial.stable]: arm(trial.stable),
      [trial.canary]: arm(trial.canary),
      "digits-old": arm("digits-old"),
    },
    shadow: { canary: { compared: 9, disagreed: 0 }, self: { compared: 3, disagreed: 0 }, failed: 0, incomparable: 0 },
  }));
};

const key = { namespace: "a", name: "digits" };

/** All that was written down of a rollout, and what the observer says in the end. */
const observed = async (pods: number, generations: number, looks: number) => {
  let counts: RouterCounts[] = [];
  const observer = createObserver(() => Promise.resolve(counts));
  const memories: string[] = [];
  let words = "";
  for (let look = 0; look < looks; look++) {
    const generation = Math.floor((look * generations) / looks);
    counts = countsOf(pods, generation, 10 * look);
    const observation = await observer.look(key, trial, BEGIN + look * 10_000);
    if (observation?.memory !== undefined) memories.push(observation.memory);
    words = observation?.words ?? "";
  }
  return { memories, words };
};

const unpacked = (text: string): unknown => deserialize(gunzipSync(Buffer.from(text.slice(2), "base64")));
const packed = (value: unknown): string => `2:${gzipSync(serialize(value)).toString("base64")}`;
const recalled = (text: string) => recall(text, trial.canary, "key");

describe("what is written down of a rollout", () => {
  for (const [pods, generations] of [
    ...[
      [1, 1],
      [10, 20],
      [100, 6],
      [200, 4],
      [300, 2],
      [500, 2],
      [1000, 3],
    ],
  ] as const)
    it(`fits its field with ${pods} pods of each revision and ${generations} generations of routers`, async () => {
      const { memories } = await observed(pods, generations, Math.max(14, 2 * generations));
      assert.ok(memories.length >= 4);
      for (const memory of memories) {
        assert.ok(memory.length <= MOST, `${memory.length}`);
        const kept = recalled(memory);
        assert.equal(kept?.canary, trial.canary);
        assert.ok((kept?.totals.stable.requests ?? 0) >= 0);
      }
      assert.ok((recalled(memories.at(-1) ?? "")?.totals.stable.requests ?? 0) > 0);
    });

  it("lets the next leader go on, from the routers' own numbers where there was room for them", async () => {
    const { memories, words } = await observed(10, 1, 13);
    const next = createObserver(() => Promise.resolve(countsOf(10, 0, 120)));
    const observation = await next.look(key, trial, BEGIN + 130_000, memories.at(-1));
    assert.equal(observation?.words.split(";").at(-1), words.split(";").at(-1));
  });

  it("does not grow with the routers that have come and gone", () => {
    const arms = { stable: trial.stable, canary: trial.canary };
    let counting = startCounting(BEGIN, countsOf(3, 0, 10));
    for (let generation = 1; generation < 50; generation++)
      counting = countOn(counting, countsOf(3, generation, 10 * generation), arms).counting;
    assert.deepEqual(Object.keys(counting.known).length, 6);
    assert.ok(Object.values(counting.known).every(({ revisions }) => !Object.hasOwn(revisions, "digits-old")));
  });

  it("counts both times together of a router that did not answer in between", () => {
    const arms = { stable: trial.stable, canary: trial.canary };
    const requests = (counts: RouterCounts[], before = startCounting(BEGIN + 9, countsOf(1, 0, 10))) =>
      countOn(before, counts, arms);
    const [first, second] = countsOf(1, 0, 20);
    assert.ok(first !== undefined && second !== undefined);
    const once = requests([first]);
    const then = requests(countsOf(1, 0, 30), once.counting);
    const straight = requests(countsOf(1, 0, 30));
    const sum = (of: { requests: number }[]) => of.reduce((all, one) => all + one.requests, 0);
    assert.equal(sum([...once.interval.stable, ...then.interval.stable]), sum([...straight.interval.stable]));
  });
});

describe("what is read back", () => {
  /** With one of its parts replaced. */
  const replaced = (value: unknown, path: readonly number[], by: unknown): unknown => {
    if (typeof value !== "object" || value === null || value instanceof Float64Array || path.length === 0) return by;
    const entries = Object.entries(value);
    const [first = 0, ...rest] = path;
    const at = entries[first % Math.max(entries.length, 1)];
    if (at === undefined) return by;
    const changed = replaced(at[1], rest, by);
    return Array.isArray(value)
      ? value.with(Number(at[0]), changed)
      : Object.fromEntries(entries.map(([name, one]) => [name, name === at[0] ? changed : one]));
  };

  it("begins anew where somebody has written another form, and never fails", async () => {
    const { memories } = await observed(2, 2, 8);
    const good = memories.at(-1) ?? "";
    assert.ok(recalled(packed(unpacked(good))) !== undefined);
    const wrong = fc.constantFrom<unknown>(
      null,
      undefined,
      "text",
      -1,
      Number.NaN,
      [],
      {},
      [[]],
      new Float64Array(2),
      2 ** 60,
      new Map(),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(9), { maxLength: 7 }), wrong, async (path, by) => {
        const memory = packed(replaced(unpacked(good), path, by));
        const next = createObserver(() => Promise.resolve(countsOf(2, 1, 90)));
        const observation = await next.look(key, trial, BEGIN + 200_000, memory);
        assert.ok(observation !== undefined);
      }),
      { numRuns: 500 },
    );
    for (const value of [undefined, {}, { canary: trial.canary, analysis: "key" }, "x"])
      assert.equal(recalled(packed(value)), undefined);
  });

  it("is not unpacked where it is too large, packed or not", () => {
    assert.equal(recalled(`2:${gzipSync(Buffer.alloc(64 * 1024 ** 2)).toString("base64")}`), undefined);
    assert.equal(recalled(`2:${"A".repeat(MOST)}`), undefined);
    for (const text of ["", "2:", "1:AAAA", "2:!!"]) assert.equal(recalled(text), undefined);
  });
});
