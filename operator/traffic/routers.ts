/** Asks the routers of a namespace which tables they follow. */
import { ROUTER_LABEL } from "../api/v1alpha1/index.ts";
import type { Store } from "../cache/store.ts";
import type { ObjectKey, Pod } from "../kube/objects.ts";
import type { Report } from "./acknowledged.ts";

/** What one router tells, by the names of ModelDeployments; undefined where it does not answer. */
export type AskRouter = (address: string) => Promise<Readonly<Record<string, Report>> | undefined>;

/** One report for each router that is ready. */
export type AskRouters = (modelDeployment: ObjectKey) => Promise<Report[]>;

export const createAskRouters =
  (pods: Pick<Store<Pod>, "list">, ask: AskRouter): AskRouters =>
  async ({ name, namespace }) => {
    const addresses = [...pods.list()]
      .filter((pod) => isReadyRouter(pod, namespace))
      .map(({ status }) => status?.podIP);
    return await Promise.all(
      addresses.map(async (address) => (address === undefined ? undefined : (await ask(address))?.[name])),
    );
  };

const isReadyRouter = ({ metadata, status }: Pod, namespace: string): boolean =>
  metadata.namespace === namespace &&
  metadata.labels?.[ROUTER_LABEL] === "true" &&
  metadata.deletionTimestamp === undefined &&
  status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
