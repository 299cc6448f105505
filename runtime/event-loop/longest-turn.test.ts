import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { watchTurns } from "./longest-turn.ts";

const watched = () => {
  let cpu = 0;
  let time = 0;
  let waited = false;
  let due: { ms: number; run: () => void } | undefined;
  const turns = watchTurns(
    () => waited,
    () => cpu,
    () => time,
    (ms, run) => {
      const own = { ms, run };
      due = own;
      return {
        refresh: () => assert.fail("each tick has a timer of its own"),
        close: () => {
          if (due === own) due = undefined;
        },
      };
    },
  );
  return {
    ...turns,
    wait: (is: boolean): void => {
      waited = is;
    },
    use: (ms: number): void => {
      cpu += ms;
    },
    pass: (ms: number, used: number): void => {
      time += ms;
      cpu += used;
      const { run } = due ?? assert.fail("nothing ticks");
      due = undefined;
      run();
    },
    nextMs: () => due?.ms,
  };
};

describe("the longest turn", () => {
  it("is told for a minute at least, and for two at most", () => {
    const { longestMs, pass } = watched();
    assert.equal(longestMs(), 0);
    pass(20, 5);
    pass(500, 140);
    pass(20, 1);
    assert.equal(longestMs(), 140, "what the thread did, not what it waited for");
    pass(60_000, 30);
    assert.equal(longestMs(), 140);
    pass(60_001, 2);
    assert.equal(longestMs(), 30);
  });

  it("is looked for seldom while there is no work, and often from the first work on", () => {
    const { awake, nextMs, pass } = watched();
    pass(20, 0.1);
    assert.equal(nextMs(), 500);
    awake();
    assert.equal(nextMs(), 20);
    pass(20, 3);
    assert.equal(nextMs(), 20);
  });

  it("is looked for often while somebody waits for an answer, whatever little is done meanwhile", () => {
    const { nextMs, pass, wait } = watched();
    wait(true);
    pass(20, 0.1);
    assert.equal(nextMs(), 20);
    wait(false);
    pass(20, 0.1);
    assert.equal(nextMs(), 500);
  });

  it("counts no work of before to that which begins", () => {
    const { awake, longestMs, pass, use } = watched();
    pass(20, 0.5);
    use(40);
    awake();
    pass(20, 25);
    assert.equal(longestMs(), 25);
  });
});
