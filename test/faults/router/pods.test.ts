/** Requests in front of half-dead pods: each has one answer, nothing is left behind, and the router goes on. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { until } from "../../world/patience.ts";
import { randomFrom } from "../../world/random.ts";
import { call, grpcConnection, post } from "./clients.ts";
import { type Pod, startPod, startWell } from "./pods.ts";
import { startRouter } from "./router.ts";
import { ROUNDS, SEED } from "./seed.ts";

const ends: (() => unknown)[] = [];
after(async () => {
  for (const end of ends) await end();
});

const GONE: Pod = { http: 1, grpc: 1, stop: () => undefined };
const REQUESTS = 40;

const podOf = (chance: number, seed: number): Pod | Promise<Pod> => {
  if (chance < 0.25) return GONE;
  return chance < 0.4 ? startWell() : startPod(seed);
};

describe(`the router in front of half-dead pods (--seed ${SEED} --runs ${ROUNDS})`, () => {
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED * 1000 + round;
    it(`answers each request once, and is idle after them: ${seed}`, async () => {
      const random = randomFrom(seed);
      const pods = await Promise.all(
        Array.from({ length: 1 + Math.floor(random() * 4) }, (_, i) => podOf(random(), seed * 10 + i)),
      );
      ends.push(...pods.map(({ stop }) => stop));
      const router = await startRouter({
        pods,
        ...{ requestTimeoutMs: 300, streamIdleMs: 300, maxWaitMs: 500, cap: 8, maxStreams: 4 },
      });
      ends.push(router.stop);
      const client = await grpcConnection(router.port);
      ends.push(() => client.socket.destroy());
      const answers: Promise<string>[] = [];
      const calls: number[] = [];
      for (let i = 0; i < REQUESTS; i++) {
        const size = random() < 0.1 ? 1_500_000 : Math.floor(random() * 100);
        if (random() < 0.5) answers.push(post(router.port, Buffer.alloc(size)));
        else if (random() < 0.8) calls.push(call(client));
        else calls.push(call(client, ["grpc-timeout", `${Math.floor(random() * 200)}m`]));
        if (random() < 0.2) await router.told();
      }
      const told = await Promise.all(answers);
      await until("the end of each call", () => calls.every(client.isOver));
      for (const one of told) assert.match(one, /^(200|500|502|503|504|408|cut|ECONNRESET)$/);
      const { evidence, outcomes } = await router.idle();
      const counted = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
      assert.ok(counted <= REQUESTS, `${counted} outcomes`);
      assert.ok(evidence.requests <= REQUESTS, `${evidence.requests} as evidence`);
      client.socket.destroy();
      await router.stop();
      for (const { stop } of pods) stop();
    });
  }

  it("loses none where one of them is well, and the others take no connection", async () => {
    const well = await startWell();
    ends.push(well.stop);
    const router = await startRouter({ pods: [GONE, GONE, well, GONE] });
    ends.push(router.stop);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => post(router.port, Buffer.alloc(i % 20 === 0 ? 1_500_000 : 10))),
    );
    assert.deepEqual(new Set(answers), new Set(["200"]));
    const { evidence, transport } = await router.idle();
    assert.deepEqual(evidence, { requests: 190, errors: 0 });
    assert.ok((transport.unreachable ?? 0) > 0);
    await router.stop();
  });
});
