/** A server in a pod of 512 MiB, and what it must bear from anybody. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type Server, startServer } from "../../runtime/server.ts";
import { until } from "../../world/patience.ts";
import { bystander, post } from "./bystander.ts";
import { limitMemory } from "./limited.ts";
import { MIB } from "./memory.ts";

const LIMIT = 512 * MIB;
/** Of processor time. */
const MOST_TURN_MS = 100;
/** What is more than this above the server at rest has not come back: heaps that have grown, and allocators, keep some, once. */
const KEPT = 0.4 * LIMIT;

/**
 * Starts it. No request, nor many at once, ends a process of the server or holds its event loop for long, and the memory comes back.
 * @param good a request that is answered all the time
 */
export const startPod = async (t: TestContext, model: string, good: string) => {
  const limited = limitMemory(LIMIT);
  t.diagnostic(`the limit of ${LIMIT / MIB} MiB is kept by ${limited.how}`);
  const options = limited.group === undefined ? ["--max-body", "24Mi", "--shards", "2"] : ["--shards", "2"];
  const server = startServer(t, model, options, limited.limits, process.env, limited.group);
  // after the server, which was started before, has been ended
  t.after(limited.remove);
  await server.ready;
  assert.equal((await post(server, good)).status, 200);
  const rest = limited.used() ?? 0;
  t.diagnostic(`at rest ${Math.round(rest / MIB)} MiB`);
  const other = bystander(server, good);
  return {
    server,
    /** Does harm, and looks at what a pod must bear. */
    async bears(what: string, harm: () => Promise<void>): Promise<void> {
      await t.test(what, async () => {
        await harm();
        const turn = await longestTurnMs(server);
        const mib = (bytes: number | undefined) => (bytes === undefined ? "?" : Math.round(bytes / MIB));
        t.diagnostic(
          `${what}: longest turn ${Math.round(turn)} ms, now ${mib(limited.used())} MiB, peak ${mib(limited.peak())}`,
        );
        assert.ok(turn <= MOST_TURN_MS, `the event loop was held for ${Math.round(turn)} ms`);
        assert.equal(limited.killed() ?? 0, 0, "the kernel has ended a process for want of memory");
        assert.equal(server.process.exitCode, null);
        await until(
          "the memory comes back",
          () => (limited.used() ?? 0) < rest + KEPT,
          () => `${mib(limited.used())} MiB of ${mib(rest)} at rest`,
        );
      });
    },
    async end(): Promise<void> {
      // a flood of long runs is an overload for everybody, and told as such
      assert.deepEqual(
        (await other.stop()).filter((failure) => !/^(?:429|504) /.test(failure)),
        [],
      );
      assert.ok(other.answered() > 0);
      const text = await (await fetch(server.admin("/metrics"))).text();
      assert.match(text, /^berth_shard_restarts_total(?:\{[^}]*\})? 0$/m, "a shard was lost");
    },
  };
};

const longestTurnMs = async (server: Server): Promise<number> => {
  const text = await (await fetch(server.admin("/metrics"))).text();
  return 1000 * Number(/^berth_longest_turn_seconds(?:\{[^}]*\})? (\S+)/m.exec(text)?.[1] ?? Number.NaN);
};
