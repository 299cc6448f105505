import assert from "node:assert/strict";
import { test } from "node:test";
import { cpuLimit } from "./cpu-limit.ts";

const files = (content: Record<string, string>) => (file: string) => content[file];
const V2 = "/sys/fs/cgroup/cpu.max";
const v1 = (quota: string) => ({
  "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": quota,
  "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
});

test("the limit of cgroup v2 or v1 counts, rounded up, and never more than the machine has", () => {
  assert.equal(cpuLimit(files({ [V2]: "150000 100000\n" }), 8), 2);
  assert.equal(cpuLimit(files({ [V2]: "1000 100000\n" }), 8), 1);
  assert.equal(cpuLimit(files({ [V2]: "1600000 100000\n" }), 8), 8);
  assert.equal(cpuLimit(files(v1("250000\n")), 8), 3);
});

test("without a limit it is the machine's number", () => {
  assert.equal(cpuLimit(files({ [V2]: "max 100000\n" }), 8), 8);
  assert.equal(cpuLimit(files(v1("-1\n")), 8), 8);
  assert.equal(cpuLimit(files({}), 8), 8);
});
