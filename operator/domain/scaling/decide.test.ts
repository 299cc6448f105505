import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Decision, decide, type Memory, remember, type ScalingSettings } from "./decide.ts";
import { type RunCurve, SILENCE, type Signals } from "./signals.ts";

/** Five requests a second on one pod. */
const CURVE: RunCurve = { each: 0.2, perItem: 0, maxBatch: 1, parallel: 1 };
const SETTINGS: ScalingSettings = {
  ...{ min: 0, max: 64, target: { kind: "utilization", share: 0.7 }, idleSeconds: 300 },
};
const BEGUN: Memory = { ...remember(1000, 1), starts: [60], curve: CURVE };

/** Looks once a second, from `memory` on. */
const run = (looks: readonly Partial<Signals>[], settings = SETTINGS, from = BEGUN) => {
  let memory = from;
  const decisions: Decision[] = [];
  for (const look of looks) {
    const next = decide(memory, { ...SILENCE, ...look }, settings, memory.second + 1);
    memory = next.memory;
    decisions.push(next.decision);
  }
  return { memory, decisions, last: decisions.at(-1) };
};
const repeat = (look: Partial<Signals>, times: number): Partial<Signals>[] =>
  new Array<Partial<Signals>>(times).fill(look);

describe("how many pods a revision is to have", () => {
  it("follows Little's law: 20 requests of 0.2 s a second keep 4 pods busy, and 6 at 70 %", () => {
    const { last } = run(repeat({ arrivals: 20, crowd: 4, ready: 6, inFlight: 4 }, 40));
    assert.deepEqual([last?.wanted, last?.why, last?.rate], [6, "load", 20]);
  });

  it("counts pods that start with what they will have done: it asks once, and no more with each look", () => {
    const steady = run(repeat({ arrivals: 20, crowd: 4, ready: 6, inFlight: 4 }, 40)).memory;
    const first = run(
      [{ arrivals: 80, crowd: 14, ready: 6, inFlight: 6, waiting: 50 }],
      { ...SETTINGS, max: 1000 },
      steady,
    );
    const wanted = first.last?.wanted ?? 0;
    assert.equal(first.last?.why, "backlog");
    const queue = (second: number) => 50 * second;
    const later = Array.from({ length: 50 }, (_, i) => ({
      ...{ arrivals: 80, crowd: 14, ready: 6, inFlight: 6, waiting: queue(i + 1) },
      starting: new Array<number>(wanted - 6).fill(i),
    }));
    const { decisions } = run(later, { ...SETTINGS, max: 1000 }, first.memory);
    const most = Math.max(...decisions.map(({ uncapped }) => uncapped));
    assert.ok(most <= wanted * 1.1, `${most} pods wanted, and ${wanted} with the first look`);
  });

  it("takes a crowd for a crowd: 200 requests at one stroke get the pods that work them off, and no rate", () => {
    const { last } = run([{ arrivals: 200, crowd: 200, waiting: 200 }], SETTINGS, {
      ...BEGUN,
      starts: [10],
      wanted: 0,
    });
    // within the least time of 2 s, at 5 a second each
    assert.deepEqual([last?.wanted, last?.why], [20, "backlog"]);
  });

  it("keeps for one start time what the load needed, and never takes a pod while others start", () => {
    const busy = run(repeat({ arrivals: 20, crowd: 4, ready: 6, inFlight: 4 }, 40)).memory;
    const { decisions } = run(repeat({ arrivals: 2, crowd: 1, ready: 6, inFlight: 1 }, 120), SETTINGS, busy);
    assert.equal(decisions[59]?.wanted, 6);
    assert.equal(decisions[119]?.wanted, 1);
    const starting = run(repeat({ arrivals: 2, crowd: 1, ready: 6, starting: [30] }, 120), SETTINGS, busy);
    assert.deepEqual([starting.last?.wanted, starting.last?.why], [6, "starting"]);
  });

  it("does not wait for a pod that is stuck", () => {
    const busy = run(repeat({ arrivals: 20, crowd: 4, ready: 6, inFlight: 4 }, 40)).memory;
    const { last } = run(repeat({ arrivals: 2, crowd: 1, ready: 6, starting: [60 * 3 + 1] }, 120), SETTINGS, busy);
    assert.equal(last?.wanted, 1);
  });

  it("goes to zero after the idle time and not before, and stays where there is a floor", () => {
    const busy = run(repeat({ arrivals: 1, crowd: 1, ready: 1 }, 10)).memory;
    const { decisions } = run(repeat({ ready: 1 }, 320), SETTINGS, busy);
    assert.equal(decisions[298]?.wanted, 1);
    assert.deepEqual([decisions[300]?.wanted, decisions[300]?.why], [0, "idle"]);
    const held = run(repeat({ ready: 1 }, 320), { ...SETTINGS, min: 2 }, busy);
    assert.deepEqual([held.last?.wanted, held.last?.why], [2, "floor"]);
  });

  it("goes to zero with the idle time, though the load of a moment ago would ask for more", () => {
    const busy = run(repeat({ arrivals: 20, crowd: 4, ready: 6, inFlight: 4 }, 40)).memory;
    const { decisions } = run(repeat({ ready: 6 }, 12), { ...SETTINGS, idleSeconds: 10 }, busy);
    assert.deepEqual([decisions[8]?.wanted, decisions[10]?.wanted], [6, 0]);
  });

  it("wakes with one request, and with more pods where more wait", () => {
    const asleep = run(repeat({}, 320)).memory;
    assert.equal(asleep.wanted, 0);
    assert.equal(run([{ arrivals: 1, crowd: 1, waiting: 1 }], SETTINGS, asleep).last?.wanted, 1);
    assert.ok((run([{ arrivals: 300, crowd: 40, waiting: 300 }], SETTINGS, asleep).last?.wanted ?? 0) > 5);
  });

  it("looks again within a second without counting it twice", () => {
    const { decision, memory } = decide(
      { ...BEGUN, wanted: 0 },
      { ...SILENCE, arrivals: 3, waiting: 3 },
      SETTINGS,
      1000.2,
    );
    assert.equal(decision.wanted, 1);
    const again = decide(memory, { ...SILENCE, arrivals: 2, waiting: 5 }, SETTINGS, 1000.4);
    assert.deepEqual(
      again.memory.seconds.map(({ all }) => all),
      [5],
    );
  });

  it("raises with a trend before the load is there", () => {
    const ramp = Array.from({ length: 200 }, (_, i) => ({ arrivals: 20 + i / 2, crowd: 5, ready: 40, inFlight: 10 }));
    const { last } = run(ramp);
    assert.equal(last?.why, "trend");
    // 119 a second at its end, and 30 more in the 60 s that a pod takes
    assert.ok(Math.abs((last?.wanted ?? 0) - (119 + 22) / 3.5) < 6, String(last?.wanted));
  });

  it("serves the target that it is given", () => {
    const batched: RunCurve = { each: 0.02, perItem: 0.002, maxBatch: 32, parallel: 1 };
    const at = (target: ScalingSettings["target"]) =>
      run(repeat({ arrivals: 400, crowd: 60, ready: 9 }, 40), { ...SETTINGS, target }, { ...BEGUN, curve: batched })
        .last?.wanted;
    assert.equal(at({ kind: "utilization", share: 0.7 }), 2); // 381 a second each at most
    assert.equal(at({ kind: "concurrency", inFlight: 4 }), 3); // 143 a second with 4 in each run
    assert.equal(at({ kind: "latencyP95", seconds: 0.06 }), 3); // runs of 5 take half of it: 167 a second, less a twentieth
    assert.ok((at({ kind: "latencyP95", seconds: 0.01 }) ?? 0) >= 64); // a run alone takes longer
  });

  it("stays within its bounds, whatever it sees", () => {
    const look = fc.record({
      arrivals: fc.nat(1000),
      crowd: fc.nat(1000),
      waiting: fc.nat(10_000),
      inFlight: fc.nat(1000),
      ready: fc.nat(64),
      starting: fc.array(fc.nat(600), { maxLength: 64 }),
    });
    fc.assert(
      fc.property(fc.array(look, { maxLength: 60 }), fc.nat(3), fc.nat(20), (looks, min, more) => {
        const settings = { ...SETTINGS, min, max: min + more };
        for (const { wanted } of run(looks, settings).decisions)
          assert.ok(Number.isInteger(wanted) && wanted >= min && wanted <= min + more);
      }),
    );
  });
});
