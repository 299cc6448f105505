import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Applied, assign, giveBack, neededPods, podsFor, type Situation, shortageOf } from "./assignment.ts";
import { SWAP_STEPS } from "./capacity.ts";
import { brokenInvariants } from "./invariants.ts";
import type { Rollout } from "./machine.ts";
import { evidenceStep, type Step } from "./steps.ts";

const RUNS = Number(process.env.BERTH_RUNS ?? 2000);

const situation: Situation = {
  ...{ plan: "handover", spare: 0, steps: [evidenceStep(25), evidenceStep(50)], replicas: 4 },
  ...{ isTotal: false, isScaled: false, isHeld: false, demand: 0, isFollowed: true },
  state: { phase: "preparing", step: 0 },
  ready: { stable: 4, candidate: 0 },
  applied: { stable: 4, candidate: 0, weight: 0 },
};
const some = (more: Partial<Situation>) => ({ ...situation, ...more });
const short = ({ candidate, stable }: ReturnType<typeof assign>) =>
  `${stable.replicas}+${candidate.replicas} at ${candidate.weight} %`;

describe("the pods and requests of a handover", () => {
  it("change hands together, one pod at a time", () => {
    const second: Rollout = { phase: "preparing", step: 1 };
    const at = (ready: number, applied: Applied, isFollowed = true) =>
      short(assign(some({ state: second, ready: { stable: applied.stable, candidate: ready }, applied, isFollowed })));
    assert.equal(at(1, { stable: 3, candidate: 1, weight: 25 }), "2+2 at 25 %");
    assert.equal(at(2, { stable: 2, candidate: 2, weight: 25 }), "2+2 at 50 %");
    assert.equal(at(2, { stable: 2, candidate: 2, weight: 50 }, false), "2+2 at 50 %");
    const finishing: Rollout = { phase: "finishing", by: "evidence" };
    assert.equal(
      neededPods(some({ state: finishing })),
      3,
      "the last of stable's goes when the new revision is stable",
    );
  });

  it("do not run ahead of each other in one large step", () => {
    const steps = [evidenceStep(50)];
    const wide = { steps, replicas: 10, ready: { stable: 10, candidate: 1 } };
    assert.equal(short(assign(some({ ...wide, applied: { stable: 9, candidate: 1, weight: 0 } }))), "9+1 at 10 %");
    assert.equal(short(assign(some({ ...wide, applied: { stable: 9, candidate: 1, weight: 10 } }))), "8+2 at 10 %");
  });

  it("leave each revision a pod where requests need only one", () => {
    for (const isTotal of [true, false])
      assert.equal(
        short(
          assign(
            some({
              replicas: 1,
              isTotal,
              state: { phase: "observing", step: 1, since: 0 },
              ready: { stable: 1, candidate: 0 },
              applied: { stable: 2, candidate: 2, weight: 50 },
            }),
          ),
        ),
        "1+1 at 50 %",
      );
  });

  it("go all to whoever answers, where stable does not", () => {
    const state: Rollout = { phase: "finishing", by: "rescue" };
    const rescue = { state, ready: { stable: 0, candidate: 1 }, applied: { stable: 3, candidate: 1, weight: 25 } };
    assert.equal(assign(some(rescue)).candidate.weight, 100);
    assert.equal(short(assign(some({ ...rescue, applied: { stable: 3, candidate: 1, weight: 100 } }))), "1+3 at 100 %");
  });
});

describe("the pods of a surge", () => {
  it("are asked for one by one where room is not known, and stay though some are not ready", () => {
    const surge = { plan: "surge" as const, replicas: 10, ready: { stable: 10, candidate: 4 } };
    assert.equal(assign(some({ ...surge, applied: { stable: 10, candidate: 4, weight: 0 } })).candidate.replicas, 5);
    assert.equal(assign(some({ ...surge, applied: { stable: 10, candidate: 9, weight: 0 } })).candidate.replicas, 9);
  });
});

describe("the way back of a handover", () => {
  it("gives stable its requests as its pods come back", () => {
    const at = (stable: number, applied: Applied) => {
      const back = giveBack(some({ ready: { stable, candidate: applied.candidate }, applied }));
      return back && `${back.stable.replicas}+${back.candidate.replicas} at ${back.candidate.weight} %`;
    };
    assert.equal(at(2, { stable: 2, candidate: 2, weight: 50 }), "2+2 at 25 %");
    assert.equal(at(2, { stable: 2, candidate: 2, weight: 25 }), "3+1 at 25 %");
    assert.equal(at(3, { stable: 3, candidate: 1, weight: 25 }), "3+1 at 0 %");
    assert.equal(at(3, { stable: 3, candidate: 1, weight: 0 }), undefined);
    assert.equal(at(0, { stable: 2, candidate: 2, weight: 50 }), "2+2 at 50 %", "nobody else answers");
  });
});

describe("a handover whose pods are ready and whose routers follow", () => {
  it("always comes to its end, and back, whatever the numbers", () => {
    const chance = fc.record({
      replicas: fc.integer({ min: 1, max: 200 }),
      spare: fc.nat(4),
      isTotal: fc.boolean(),
      weight: fc.integer({ min: 1, max: 99 }),
    });
    fc.assert(
      fc.property(chance, ({ isTotal, replicas, spare: room, weight }) => {
        const spare = isTotal ? 0 : room;
        const of = { replicas, spare, isTotal, steps: [evidenceStep(weight)] };
        const state: Rollout = { phase: "finishing", by: "command" };
        let applied: Applied = { stable: replicas, candidate: 0, weight: 0 };
        const look = () => some({ ...of, state, applied, ready: applied });
        const needed = neededPods(look());
        for (let turns = 0; applied.candidate < needed; turns++) {
          assert.ok(turns <= 2 * replicas + 4, `stays at ${JSON.stringify(applied)}`);
          const { candidate, stable } = assign(look());
          applied = { stable: stable.replicas, candidate: candidate.replicas, weight: candidate.weight };
        }
        for (let turns = 0; ; turns++) {
          assert.ok(turns <= 2 * replicas + 4, `does not come back from ${JSON.stringify(applied)}`);
          const next = giveBack(look());
          if (next === undefined) return;
          applied = { stable: next.stable.replicas, candidate: next.candidate.replicas, weight: next.candidate.weight };
        }
      }),
      { numRuns: RUNS },
    );
  });
});

describe("an assignment", () => {
  const phases = fc.constantFrom<Rollout["phase"]>("preparing", "shifting", "observing", "paused", "finishing");
  const chance = fc.record({
    phase: phases,
    step: fc.nat(3),
    by: fc.constantFrom("evidence" as const, "command" as const, "rescue" as const),
    weights: fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 4 }),
    plan: fc.constantFrom("surge" as const, "handover" as const, "swap" as const),
    spare: fc.nat(12),
    replicas: fc.integer({ min: 1, max: 40 }),
    isTotal: fc.boolean(),
    isScaled: fc.boolean(),
    isHeld: fc.boolean(),
    demand: fc.nat(10),
    isFollowed: fc.boolean(),
    stableReady: fc.nat(40),
    candidateReady: fc.nat(40),
    applied: fc.record({ stable: fc.nat(40), candidate: fc.nat(40), weight: fc.nat(100) }),
  });
  const stateOf = (phase: Rollout["phase"], step: number, by: "evidence" | "command" | "rescue"): Rollout => {
    if (phase === "finishing") return { phase, by };
    if (phase === "paused") return { phase, step, since: 0, by: "spec" };
    if (phase === "observing") return { phase, step, since: 0 };
    return phase === "shifting" ? { phase, step } : { phase: "preparing", step };
  };

  it("keeps its invariants whatever was applied before", () => {
    fc.assert(
      fc.property(chance, ({ by, candidateReady, phase, stableReady, step, weights, ...rest }) => {
        const steps: readonly Step[] =
          rest.plan === "swap"
            ? SWAP_STEPS
            : weights.toSorted((one, other) => one - other).map((weight) => evidenceStep(weight));
        const state = stateOf(phase, Math.min(step, steps.length - 1), by);
        const of: Situation = {
          ...{ ...rest, steps, state, spare: rest.plan === "handover" && rest.isTotal ? 0 : rest.spare },
          ready: { stable: stableReady, candidate: candidateReady },
        };
        assert.deepEqual(brokenInvariants(of, assign(of)), [], JSON.stringify(of));
      }),
      { numRuns: RUNS },
    );
  });

  it("never has more requests than pods on the way there and back, but for the pod that is changing hands", () => {
    const event = fc.oneof(
      { weight: 6, arbitrary: fc.constant("pod is ready" as const) },
      { weight: 6, arbitrary: fc.constant("routers follow" as const) },
      { weight: 3, arbitrary: fc.constant("proved" as const) },
      fc.constantFrom("paused" as const, "resumed" as const, "superseded" as const, "scaled" as const),
    );
    const walk = fc.record({
      replicas: fc.integer({ min: 1, max: 30 }),
      spare: fc.nat(4),
      isTotal: fc.boolean(),
      weights: fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 3 }),
      events: fc.array(fc.tuple(event, fc.integer({ min: 1, max: 30 })), { maxLength: 120 }),
    });
    fc.assert(
      fc.property(walk, ({ events, isTotal, replicas: first, spare: room, weights }) => {
        const steps = weights.toSorted((one, other) => one - other).map((weight) => evidenceStep(weight));
        const spare = isTotal ? 0 : room;
        let [replicas, isHeld, isFollowed, isSuperseded] = [first, false, true, false];
        let state: Rollout = { phase: "preparing", step: 0 };
        let applied: Applied = { stable: first, candidate: 0, weight: 0 };
        let ready = { stable: first, candidate: 0 };
        const look = (): Situation => ({
          ...{ plan: "handover", spare, steps, replicas, isTotal, isScaled: false, isHeld, demand: 0, isFollowed },
          ...{ state, ready, applied },
        });
        for (const [what, number] of events) {
          const before = { applied, replicas };
          if (what === "pod is ready") {
            const next = { stable: Math.min(ready.stable + 1, applied.stable), candidate: ready.candidate };
            ready =
              next.stable > ready.stable
                ? next
                : { ...ready, candidate: Math.min(ready.candidate + 1, applied.candidate) };
          }
          if (what === "routers follow") isFollowed = true;
          if (what === "paused" || what === "resumed") isHeld = what === "paused";
          if (what === "superseded") isSuperseded = true;
          if (what === "scaled") replicas = number;
          const isReady = applied.candidate >= neededPods(look()) && ready.candidate >= neededPods(look());
          const step: number = "step" in state ? state.step : steps.length - 1;
          if (what === "proved" && !isSuperseded) {
            if (state.phase === "preparing" && isReady && !isHeld) state = { phase: "shifting", step };
            else if (state.phase === "shifting" && isFollowed) state = { phase: "observing", step, since: 0 };
            else if (state.phase === "observing")
              state =
                step + 1 < steps.length
                  ? { phase: "preparing", step: step + 1 }
                  : { phase: "finishing", by: "evidence" };
          }
          const next = isSuperseded ? giveBack(look()) : assign(look());
          if (next === undefined) return;
          const { candidate, stable } = next;
          isFollowed = isFollowed && candidate.weight === applied.weight;
          applied = { stable: stable.replicas, candidate: candidate.replicas, weight: candidate.weight };
          ready = {
            stable: Math.min(ready.stable, applied.stable),
            candidate: Math.min(ready.candidate, applied.candidate),
          };
          const isShortBefore = (part: "stable" | "candidate", weight: number) =>
            before.replicas !== replicas || before.applied[part] < podsFor(weight, replicas) - 1;
          for (const [part, weight] of [
            ["stable", 100 - applied.weight],
            ["candidate", applied.weight],
          ] as const) {
            if (isShortBefore(part, weight)) continue;
            const allowed = shortageOf({ plan: "handover", spare, replicas });
            assert.ok(
              applied[part] >= podsFor(weight, replicas) - Math.max(allowed, part === "candidate" ? 1 : 0),
              `${what}: ${part} has ${applied[part]} pods for ${weight} % of ${replicas}`,
            );
          }
          assert.ok(applied.weight === 0 || applied.candidate >= 1);
          assert.ok(applied.weight === 100 || applied.stable >= 1);
        }
      }),
      { numRuns: RUNS },
    );
  });
});
