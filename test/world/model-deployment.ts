/** A ModelDeployment as the tests and the demo see it, and waiting for a state of it. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Cluster } from "../cluster/index.ts";
import { CLUSTER_PATIENCE_S, tooLate } from "./patience.ts";

const condition = z.looseObject({
  type: z.string(),
  status: z.string(),
  reason: z.string(),
  message: z.string().optional(),
});

const revision = z.looseObject({
  revision: z.string(),
  modelDigest: z.string().optional(),
  replicas: z.number().optional(),
  ready: z.number().optional(),
});

const seen = z.looseObject({
  metadata: z.looseObject({ generation: z.number(), uid: z.string() }),
  status: z.looseObject({
    observedGeneration: z.number(),
    phase: z.string().optional(),
    message: z.string().optional(),
    url: z.string().optional(),
    conditions: z.array(condition).default([]),
    stable: revision.optional(),
    canary: revision.optional(),
    rollout: z.looseObject({}).optional(),
  }),
});

export type Seen = z.infer<typeof seen>;

export const conditionOf = (object: Seen, type: string) => object.status.conditions.find((one) => one.type === type);

/** `True`, `False`, `Unknown` or, where the condition is not there, `absent`. */
export const statusOf = (object: Seen, type: string): string => conditionOf(object, type)?.status ?? "absent";

export const read = async (cluster: Cluster, namespace: string, name: string): Promise<Seen> => {
  const { stdout } = await cluster.kubectl(["get", "mdeploy", name, "-n", namespace, "-o", "json"]);
  return seen.parse(JSON.parse(stdout));
};

/** Polls (it is what a person at a terminal would do) until `holds`, and rejects with what it saw last. */
export const waitFor = async (
  cluster: Cluster,
  key: { namespace: string; name: string },
  what: string,
  holds: (object: Seen) => boolean,
  patience = CLUSTER_PATIENCE_S,
): Promise<Seen> => {
  const end = Date.now() + patience * 1000;
  for (;;) {
    const object = await read(cluster, key.namespace, key.name);
    const isCurrent = object.status.observedGeneration === object.metadata.generation;
    if (isCurrent && holds(object)) return object;
    if (Date.now() > end) {
      throw tooLate(`${key.name} is ${what}`, object.status, patience * 1000);
    }
    await sleep(300);
  }
};

const scale = z.looseObject({ replicas: z.number(), wanted: z.number().optional(), why: z.string().optional() });

/** `status.scale`. */
export const scaleOf = ({ status }: Seen) => scale.parse(status.scale);

export const isReady = (object: Seen): boolean =>
  statusOf(object, "Ready") === "True" && statusOf(object, "Reconciling") === "absent";

export const isStalled = (object: Seen): boolean => statusOf(object, "Stalled") === "True";
