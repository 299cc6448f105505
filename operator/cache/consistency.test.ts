import assert from "node:assert/strict";
import { test } from "node:test";
import { createConsistency } from "./consistency.ts";

test("an owner is current once every kind's cache has seen the latest write", () => {
  const seen = new Map([
    ["Service", "99"],
    ["Deployment", "100"],
  ]);
  const consistency = createConsistency((kind) => seen.get(kind));
  assert.equal(consistency.isCurrent("uid"), true);
  consistency.wrote("uid", "Service", "100");
  consistency.wrote("uid", "Service", "98"); // an answer that overtook another
  consistency.wrote("uid", "Deployment", "100");
  assert.equal(consistency.isCurrent("uid"), false);
  assert.equal(consistency.isCurrent("other"), true);
  seen.set("Service", "100");
  assert.equal(consistency.isCurrent("uid"), true);
});

test("what has no cache, or no owner any more, is not waited for", () => {
  const consistency = createConsistency((kind) => (kind === "Service" ? "1" : undefined));
  consistency.wrote("uid", "Secret", "100");
  assert.equal(consistency.isCurrent("uid"), true);
  consistency.wrote("uid", "Service", "2");
  consistency.forget("uid");
  assert.equal(consistency.isCurrent("uid"), true);
});
