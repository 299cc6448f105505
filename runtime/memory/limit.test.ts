import assert from "node:assert/strict";
import { test } from "node:test";
import { MIB, memoryLimit, waitingBytes } from "./limit.ts";

const files = (content: Record<string, string>) => (file: string) => content[file];
const GIB = 1024 * MIB;

test("in a container of cgroup v2 its own limit counts, never more than the machine has", () => {
  const limit = (text: string, machine = 8 * GIB) =>
    memoryLimit(files({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": `${text}\n` }), machine);
  assert.equal(limit("536870912"), 512 * MIB);
  assert.equal(limit("17179869184"), 8 * GIB);
  assert.equal(limit("max"), 8 * GIB);
});

test("of nested groups the least limit counts, whichever level has it", () => {
  const nested = (own: string, parent: string, top: string) =>
    memoryLimit(
      files({
        "/proc/self/cgroup": "0::/kubepods.slice/pod1/box\n",
        "/sys/fs/cgroup/kubepods.slice/pod1/box/memory.max": own,
        "/sys/fs/cgroup/kubepods.slice/pod1/memory.max": parent,
        "/sys/fs/cgroup/kubepods.slice/memory.max": top,
      }),
      8 * GIB,
    );
  assert.equal(nested("1073741824\n", "536870912\n", "max\n"), 512 * MIB);
  assert.equal(nested("max\n", "max\n", "4294967296\n"), 4 * GIB);
  assert.equal(nested("268435456\n", "max\n", "max\n"), 256 * MIB);
});

test("a path of the host's that is not mounted here leaves the container's own root", () => {
  const content = {
    "/proc/self/cgroup": "0::/kubepods/burstable/pod1/box\n",
    "/sys/fs/cgroup/memory.max": "536870912\n",
  };
  assert.equal(memoryLimit(files(content), 8 * GIB), 512 * MIB);
});

test("cgroup v1 and both together: the memory controller's line, whatever stands beside it", () => {
  const v1 = (line: string, limit: string) =>
    memoryLimit(
      files({
        "/proc/self/cgroup": `5:cpu:/\n4:${line}:/docker/box\n0::/\n`,
        "/sys/fs/cgroup/memory/docker/box/memory.limit_in_bytes": limit,
      }),
      8 * GIB,
    );
  assert.equal(v1("memory", "536870912\n"), 512 * MIB);
  assert.equal(v1("hugetlb,memory", "536870912\n"), 512 * MIB);
  assert.equal(v1("memory", "9223372036854771712\n"), 8 * GIB, "no limit");
});

test("without groups, or with text that is no number, it is the machine's memory", () => {
  assert.equal(memoryLimit(files({}), 8 * GIB), 8 * GIB);
  const odd = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "" };
  assert.equal(memoryLimit(files(odd), 8 * GIB), 8 * GIB);
});

test("what may wait is half of what is left, within bounds", () => {
  assert.equal(waitingBytes(512 * MIB, 320 * MIB), 96 * MIB);
  assert.equal(waitingBytes(256 * MIB, 240 * MIB), 16 * MIB, "a sixteenth");
  assert.equal(waitingBytes(64 * GIB, 320 * MIB), 2 * GIB);
});
