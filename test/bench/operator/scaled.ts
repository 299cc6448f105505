/** What it costs the operator to look after ModelDeployments whose number of pods follows their load. */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../../cluster/index.ts";
import type { Operator } from "../../faults/operator/operator-process.ts";
import { nameOf, openHarness } from "./harness.ts";
import { KWOK_SCHEDULING } from "./kwok.ts";
import { type Idle, idle, peakMiB } from "./phases.ts";
import { followRequests } from "./requests.ts";
import { startSimulatedPods } from "./simulated-pods.ts";

export const SCALED = { idle: 500, busy: 50 } as const;

const NAMESPACE = "bench-scaled";
/** So long nothing is to change before it is measured. */
const SETTLE_MS = 20_000;

export type Scaled = Idle & { peakMiB: number; pods: number };

/** @param start of the operator, to which `preload` is loaded, and the port told that answers for its pods */
export const measureScaled = async (
  cluster: Cluster,
  log: string,
  seconds: number,
  start: (pods: { port: number; preload: string }) => Promise<Operator>,
  say: (line: string) => void,
): Promise<Scaled> => {
  const { kubectl } = cluster;
  await kubectl(["create", "namespace", NAMESPACE]);
  // the pods of routers want no particular node: only simulated ones are left
  await kubectl(["cordon", "-l", "type!=kwok"]);
  await kubectl(["taint", "nodes", "-l", "type=kwok", "kwok.x-k8s.io/node-"]);
  const scaling = { minReplicas: 0, maxReplicas: 4, idleBeforeZero: "10s" };
  const model = { uri: "https://models.example.com/digits.onnx" };
  const harness = await openHarness(cluster.hostKubeconfig, NAMESPACE, { model, scaling, scheduling: KWOK_SCHEDULING });
  const count = SCALED.idle + SCALED.busy;
  const all = Array.from({ length: count }, (_, index) => index);
  const busy = new Set(all.slice(0, SCALED.busy).map(nameOf));
  const pods = await startSimulatedPods(
    () => all.flatMap((index) => harness.model(index) ?? []),
    (name) => busy.has(name),
  );
  const requests = followRequests(log);
  const operator = await start({ port: pods.port, preload: join(import.meta.dirname, "redirect.ts") });
  try {
    await sleep(3000);
    await harness.applyAll(count);
    const isSettled = (index: number): boolean => {
      const { stable, scale } = harness.model(index)?.status ?? {};
      if (stable === undefined || scale === undefined) return false;
      return busy.has(nameOf(index)) ? stable.ready === 2 : scale.replicas === 0 && scale.wanted === 0;
    };
    await harness.until("the idle ones sleep and the busy ones have their pods", () => all.every(isSettled), 600);
    say(`${SCALED.idle} sleep, ${SCALED.busy} have two pods each`);
    await sleep(SETTLE_MS);
    const measured = await idle({ harness, requests, operator, count }, seconds);
    const ready = all.reduce((sum, index) => sum + (harness.model(index)?.status?.stable?.ready ?? 0), 0);
    return { ...measured, peakMiB: peakMiB(operator), pods: ready };
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}; the operator:\n${operator.log()}`, {
      cause: error,
    });
  } finally {
    await operator.stop();
    pods.close();
    await harness.close();
  }
};
