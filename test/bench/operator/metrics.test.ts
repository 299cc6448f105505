import assert from "node:assert/strict";
import { test } from "node:test";
import { gauge, quantile } from "./metrics.ts";

test("a gauge is found by its whole name", () => {
  const text =
    "# HELP lag_p99_seconds Lag.\n# TYPE lag_p99_seconds gauge\nlag_p99_seconds_more 7\nlag_p99_seconds 0.0104\n";
  assert.equal(gauge(text, "lag_p99_seconds"), 0.0104);
  assert.throws(() => gauge(text, "lag"), /exports no metric lag/);
});

test("quantiles are samples, by nearest rank", () => {
  const samples = Array.from({ length: 50 }, (_, i) => 50 - i);
  assert.equal(quantile(samples, 0.5), 25);
  assert.equal(quantile(samples, 0.99), 50);
  assert.equal(quantile([3], 0), 3);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});
