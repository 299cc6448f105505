import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createRollPace, isRolling } from "./roll-pace.ts";

describe("routers that are replaced", () => {
  it("are those of a few namespaces at a time, and all in the end", () => {
    const lasting = fc.array(fc.integer({ min: 1_000, max: 100_000 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(lasting, (durations) => {
        const pace = createRollPace();
        const begun = new Map<number, number>();
        const isBusy = (index: number, now: number) => {
          const at = begun.get(index);
          return at !== undefined && now < at + (durations[index] ?? 0);
        };
        for (let now = 0; begun.size < durations.length; now += 5_000) {
          assert.ok(now < 5_000_000, "not all were replaced");
          durations.forEach((_, index) => {
            if (begun.has(index)) return;
            const may = pace.begins(`n${index}`, now, durations.length, (name) => isBusy(Number(name.slice(1)), now));
            if (may) begun.set(index, now);
          });
          const busy = durations.filter((_, index) => isBusy(index, now));
          assert.ok(busy.length <= 2, `${busy.length} at ${now}`);
        }
      }),
    );
  });

  it("hold nobody up for longer than two minutes, if they never get ready", () => {
    const pace = createRollPace();
    assert.ok(pace.begins("a", 0, 10, () => true));
    assert.ok(pace.begins("b", 0, 10, () => true));
    assert.equal(
      pace.begins("c", 119_999, 10, () => true),
      false,
    );
    assert.ok(pace.begins("c", 120_000, 10, () => true));
  });

  it("are more at a time where there are hundreds of namespaces", () => {
    const pace = createRollPace();
    const begun = Array.from({ length: 200 }, (_, index) => pace.begins(`n${index}`, 0, 200, () => true));
    assert.equal(begun.filter(Boolean).length, 10);
  });
});

it("a Deployment rolls until all of its pods are new and ready, and none else is left", () => {
  const deployment = (status: object, generation = 2) => ({
    ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "a", generation } },
    spec: { replicas: 2, selector: {}, template: {} },
    status,
  });
  const done = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
  assert.equal(isRolling(deployment(done)), false);
  for (const lacks of [{ observedGeneration: 1 }, { replicas: 3 }, { updatedReplicas: 1 }, { availableReplicas: 1 }])
    assert.equal(isRolling(deployment({ ...done, ...lacks })), true);
});
