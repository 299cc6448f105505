/** Plays a scenario once, with what a fault does to it, and compares where it ends with where an undisturbed one did. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../../operator/platform/kube/client.ts";
import type { World } from "../../world/index.ts";
import { type Arena, enterArena } from "./arena.ts";
import { countOnce, difference, endState } from "./end-state.ts";
import { type Installed, type Operator, startOperator } from "./operator-process.ts";
import { type FaultProxy, startProxy, type Write } from "./proxy.ts";
import { quiet, type Scenario } from "./scenarios.ts";
import type { Upstream } from "./upstream.ts";

export type Stage = { world: World; admin: Client; installed: Installed; upstream: Upstream };

/** What a fault has in its hands while a scenario is played. */
export type Scene = {
  arena: Arena;
  proxy: FaultProxy;
  /** Those of more operators, which a fault has started. */
  others: FaultProxy[];
  operator(): Operator;
  /** When the operator was last started. */
  startedAt(): number;
  /** Kills it with -9 and starts it again, as its kubelet would: as the same pod. `changed` holds from then on. */
  killAndRestart(changed?: Partial<Installed>): Promise<void>;
};

/**
 * `begin`: before the user acts; what it returns is called after the end, and tells what the fault finds wrong itself. `undisturbed`: the run
 * that it is compared with.
 */
export type Fault = {
  name: string;
  begin(scene: Scene, undisturbed: Reference): Promise<(() => Promise<string | undefined>) | undefined>;
};

export type Reference = { state: readonly string[]; once: readonly string[]; writes: readonly Write[] };
export type Outcome = { wrong: string | undefined; seconds: number };

const IDENTITY = "operator-under-test";
/** Nothing more is written in this time once all is done. */
const STEADY_MS = 2000;

let played = 0;

const inScene = async <T>(stage: Stage, scenario: Scenario, run: (scene: Scene) => Promise<T>): Promise<T> => {
  played += 1;
  const arena = await enterArena(stage.world, stage.admin, `faults-${process.pid}-${played}`);
  const proxy = await startProxy(stage.upstream, arena.namespace);
  /** Those that end by our hand. */
  const ending = new Set<Operator>();
  let restarting: Promise<void> = Promise.resolve();
  let startedAt = performance.now();
  let { installed } = stage;
  const start = async (): Promise<Operator> => {
    startedAt = performance.now();
    const started = await startOperator(installed, proxy.url, IDENTITY);
    // as its kubelet does when it ends by itself, such as for a lease that a busy machine has lost
    started.ended.then(
      () => (ending.has(started) ? undefined : scene.killAndRestart()),
      () => undefined,
    );
    return started;
  };
  const scene: Scene = {
    arena,
    proxy,
    others: [],
    operator: () => operator,
    startedAt: () => startedAt,
    killAndRestart(changed = {}) {
      installed = { ...installed, ...changed };
      const restart = async (): Promise<void> => {
        // it has not asked for anything from now on until it is there again, however long that takes
        startedAt = performance.now();
        ending.add(operator);
        await operator.kill();
        operator = await start();
      };
      restarting = restarting.then(restart);
      return restarting;
    },
  };
  let operator = await start();
  try {
    await scenario.prepare(arena);
    await quiet(proxy.lastWriteAt);
    proxy.forget();
    return await run(scene);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\nthe operator said last:\n${operator.log()}`, { cause: error });
  } finally {
    proxy.calm();
    await restarting.catch(() => undefined);
    ending.add(operator);
    await operator.kill();
    proxy.close();
    await arena.leave();
  }
};

const writesOf = ({ proxy, others }: Scene): Write[] => [proxy, ...others].flatMap(({ writes }) => writes);

const finish = async (scenario: Scenario, scene: Scene): Promise<Reference> => {
  const { arena, proxy, others } = scene;
  await scenario.act(arena);
  await scenario.end(arena);
  await quiet(() => {
    const isBack = proxy.lastCallAt() >= scene.startedAt();
    return isBack ? Math.max(proxy.lastCallAt(), ...others.map((one) => one.lastWriteAt())) : performance.now();
  });
  const writes = writesOf(scene);
  return { state: await endState(arena), once: countOnce(writes), writes };
};

/** The undisturbed run. */
export const playReference = (stage: Stage, scenario: Scenario): Promise<Reference> =>
  inScene(stage, scenario, (scene) => finish(scenario, scene));

/** The scenario with the fault. `wrong`: how it differs from the reference, in words. */
export const play = async (stage: Stage, scenario: Scenario, fault: Fault, reference: Reference): Promise<Outcome> => {
  const started = performance.now();
  const took = (): number => (performance.now() - started) / 1000;
  try {
    const wrong = await inScene(stage, scenario, async (scene) => {
      const conclude = await fault.begin(scene, reference);
      const { state, once } = await finish(scenario, scene);
      const found = await conclude?.();
      if (found !== undefined) return found;
      scene.proxy.calm();
      const before = writesOf(scene).length;
      await sleep(STEADY_MS);
      const late = writesOf(scene)
        .slice(before)
        .map(({ what }) => `written when all was done: ${what}`);
      const differs = [...difference(reference.state, state), ...difference(reference.once, once), ...late];
      return differs.length === 0
        ? undefined
        : `${differs.join("\n")}\nthe operator said last:\n${scene.operator().log()}`;
    });
    return { wrong, seconds: took() };
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error), seconds: took() };
  }
};
