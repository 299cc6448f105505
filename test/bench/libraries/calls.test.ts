import { test } from "node:test";
import { PAIRS } from "./calls.ts";

for (const pair of Object.values(PAIRS).flat())
  test(`${pair.name}: ours and the library give the same`, () => pair.check());
