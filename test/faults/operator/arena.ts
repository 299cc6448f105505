/** Where one scenario is played: a namespace of its own, one ModelDeployment in it, and the test's own way to the API server. */
import { setTimeout as sleep } from "node:timers/promises";
import { findCondition, MODEL_DEPLOYMENTS, type ModelDeployment } from "../../../operator/api/v1alpha1/index.ts";
import type { Client } from "../../../operator/platform/kube/client.ts";
import { KubeError } from "../../../operator/platform/kube/errors.ts";
import type { KubeObject, Resource } from "../../../operator/platform/kube/objects.ts";
import { DEPLOYMENTS, PODS } from "../../../operator/platform/kube/resources.ts";
import type { World } from "../../world/index.ts";
import { CLUSTER_PATIENCE_S, tooLate } from "../../world/patience.ts";

/** In every namespace alike, so that names, which hold a hash of the spec, are alike too. */
export const NAME = "survivor";
const POLL_MS = 100;

export type Arena = {
  namespace: string;
  world: World;
  apply(spec: object): Promise<void>;
  remove(): Promise<void>;
  read(): Promise<ModelDeployment | undefined>;
  list<T extends KubeObject>(resource: Resource<T>): Promise<T[]>;
  /** Rejects, with what was seen last, where it does not hold in time. */
  until(what: string, holds: (seen: ModelDeployment | undefined) => boolean | Promise<boolean>): Promise<void>;
  /** The test is over. */
  leave(): Promise<void>;
};

export const enterArena = async (world: World, admin: Client, namespace: string): Promise<Arena> => {
  await world.namespace(namespace);
  const key = { namespace, name: NAME };
  const read = async (): Promise<ModelDeployment | undefined> => {
    try {
      return await admin.get(MODEL_DEPLOYMENTS, key);
    } catch (error) {
      if (error instanceof KubeError && error.kind === "notFound") return undefined;
      throw error;
    }
  };
  return {
    namespace,
    world,
    apply: async (spec) => {
      const { apiVersion } = MODEL_DEPLOYMENTS;
      const object = { apiVersion, kind: MODEL_DEPLOYMENTS.kind, metadata: key, spec };
      await admin.apply(MODEL_DEPLOYMENTS, object, { fieldManager: "user" });
    },
    remove: () => admin.delete(MODEL_DEPLOYMENTS, key),
    read,
    list: async (resource) => (await admin.list(resource, { namespace })).items,
    async until(what, holds) {
      const end = performance.now() + CLUSTER_PATIENCE_S * 1000;
      for (;;) {
        const seen = await read();
        if (await holds(seen)) return;
        if (performance.now() > end) {
          throw tooLate(`${NAME} is ${what}`, seen?.status, CLUSTER_PATIENCE_S * 1000);
        }
        await sleep(POLL_MS);
      }
    },
    leave: async () => {
      await world.cluster.kubectl(["delete", "namespace", namespace, "--wait=false"]);
    },
  };
};

const isCurrent = ({ metadata, status }: ModelDeployment): boolean =>
  status?.observedGeneration === metadata.generation;

/** Ready for its newest spec, with nothing left to do. */
const isReady = (seen: ModelDeployment | undefined): seen is ModelDeployment =>
  seen !== undefined &&
  isCurrent(seen) &&
  findCondition(seen.status?.conditions, "Ready")?.status === "True" &&
  findCondition(seen.status?.conditions, "Reconciling") === undefined;

/** Ready, and its Deployment and pods are the only ones there are. */
export const isSettled =
  ({ list }: Arena, replicas: number) =>
  async (seen: ModelDeployment | undefined): Promise<boolean> => {
    if (!isReady(seen) || seen.status?.pods !== `${replicas}/${replicas}`) return false;
    const [deployments, pods] = await Promise.all([list(DEPLOYMENTS), list(PODS)]);
    return deployments.length === 1 && pods.length === replicas;
  };
