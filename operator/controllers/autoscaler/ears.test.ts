import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEars, type Hear, type Router } from "./ears.ts";

const routers = (count: number, namespace = "a"): Router[] =>
  Array.from({ length: count }, (_, i) => ({ namespace, name: `berth-router-${i}`, address: `${namespace}.${i}` }));
const line = { started: "s", models: {} };
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("the connections to routers", () => {
  const signal = new AbortController().signal;

  it("are few in a namespace: routers beyond them are not listened to, and that is told", () => {
    const opened: string[] = [];
    const hear: Hear = (address, onLine) => {
      opened.push(address);
      onLine(line);
      return new Promise(() => undefined);
    };
    const ears = createEars(hear, { line: () => undefined, lost: () => undefined }, () => 0);
    ears.listenTo([...routers(100), ...routers(2, "b")], signal);
    ears.listenTo([...routers(100), ...routers(2, "b")], signal);
    assert.equal(opened.length, 16 + 2);
    assert.match(
      ears.deafTo("a") ?? "",
      /router berth-router-16 does not report its counts \(the operator connects to at most 16 routers/,
    );
    assert.equal(ears.deafTo("b"), undefined);
  });

  it("are opened again, also where the attempt itself fails", async () => {
    let [tries, now] = [0, 0];
    const lost: string[] = [];
    const hear: Hear = () => {
      tries += 1;
      return Promise.reject(new Error("no such luck"));
    };
    const ears = createEars(hear, { line: () => undefined, lost: (address) => lost.push(address) }, () => now);
    ears.listenTo(routers(1), signal);
    await settled();
    assert.match(ears.deafTo("a") ?? "", /no such luck/);
    now = 10_000;
    ears.listenTo(routers(1), signal);
    await settled();
    assert.deepEqual([tries, lost], [2, ["a.0", "a.0"]]);
  });
});
