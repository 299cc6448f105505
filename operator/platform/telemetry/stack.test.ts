import assert from "node:assert/strict";
import { test } from "node:test";
import { mapBeside, withSources } from "./stack.ts";

test("frames of the program name the source, and all else stays", () => {
  const stack = [
    "KubeError: get Lease berth/leader: at /app/main.js:1:2 nothing answers",
    "    at errorFromStatus (/app/main.js:120:7)",
    "    at async /app/main.js:200:3",
    "    at nowhere (/app/main.js:1:1)",
    "    at node:internal/process/task_queues:103:5",
    "    at other (/app/node_modules/main.js:120:7)",
  ].join("\n");
  const find = (line: number, column: number) =>
    line === 1 ? undefined : { file: `operator/at-${line}-${column}.ts`, line: 42 };
  assert.deepEqual(withSources(stack, "/app/main.js", find).split("\n"), [
    "KubeError: get Lease berth/leader: at /app/main.js:1:2 nothing answers",
    "    at errorFromStatus (operator/at-120-7.ts:42)",
    "    at async operator/at-200-3.ts:42",
    "    at nowhere (/app/main.js:1:1)",
    "    at node:internal/process/task_queues:103:5",
    "    at other (/app/node_modules/main.js:120:7)",
  ]);
});

test("a program without a map keeps its stacks", () => {
  assert.equal(mapBeside("/nowhere/main.js")(1, 1), undefined);
});
