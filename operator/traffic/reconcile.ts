/** The life of a namespace's router: there while a ModelDeployment needs it, as this version of Berth would make it. */
import { KIND, MANAGED_BY, MANAGED_BY_LABEL, type ModelDeployment, ROUTER_NAME } from "../api/v1alpha1/index.ts";
import { carryOut } from "../apply/carry-out.ts";
import type { Change } from "../cache/indexed-store.ts";
import type { Store } from "../cache/store.ts";
import type { Reconcile } from "../controller/result.ts";
import type { Client } from "../kube/client.ts";
import type {
  Deployment,
  KubeObject,
  NetworkPolicy,
  ObjectKey,
  PodDisruptionBudget,
  RoleBinding,
  ServiceAccount,
} from "../kube/objects.ts";
import type { RouterRole } from "./children/account.ts";
import type { RouterSettings } from "./children/deployment.ts";
import { needsRouter, planRouter } from "./plan.ts";

export type RouterStores = {
  modelDeployments: Store<ModelDeployment>;
  deployments: Store<Deployment>;
  serviceAccounts: Store<ServiceAccount>;
  roleBindings: Store<RoleBinding>;
  disruptionBudgets: Store<PodDisruptionBudget>;
  networkPolicies: Store<NetworkPolicy>;
};

export type RouterDependencies = {
  client: Client;
  stores: RouterStores;
  settings: RouterSettings & { role: RouterRole; operatorNamespace: string };
};

const keyOf = ({ metadata: { namespace = "" } }: KubeObject): ObjectKey[] => [{ namespace, name: ROUTER_NAME }];

/** The key of the router that this ModelDeployment needs. One that needs it no longer is told as it was, too. */
export const routerOf = (object: KubeObject): ObjectKey[] =>
  isModelDeployment(object) && needsRouter(object) ? keyOf(object) : [];

/** What the router consists of follows from the specs of those that need it; their status changes much more often. */
export const isNewsForRouter = (change: Change<ModelDeployment>): boolean =>
  change.type !== "updated" ||
  change.old.metadata.generation !== change.object.metadata.generation ||
  change.old.metadata.uid !== change.object.metadata.uid ||
  needsRouter(change.old) !== needsRouter(change.object);

const isModelDeployment = (object: KubeObject): object is ModelDeployment => object.kind === KIND;

/** The key of the router that this object is a part of. */
export const partOfRouter = (object: KubeObject): ObjectKey[] =>
  object.metadata.name === ROUTER_NAME ? keyOf(object) : [];

export const routerController =
  ({ client, settings, stores }: RouterDependencies): Reconcile =>
  async (key, { log, signal }) => {
    const { namespace } = key;
    const users = [...stores.modelDeployments.list()].filter(
      (one) => one.metadata.namespace === namespace && needsRouter(one),
    );
    const observed = {
      ...{ namespace, users },
      deployment: stores.deployments.get(key),
      account: stores.serviceAccounts.get(key),
      binding: stores.roleBindings.get(key),
      budget: stores.disruptionBudgets.get(key),
      policy: stores.networkPolicies.get(key),
    };
    for (const action of planRouter(observed, settings)) {
      const stranger = await carryOut(client, action, signal, strangerOf);
      if (stranger !== undefined) log.warn({ stranger }, "the router's name is taken by something else");
    }
    return {};
  };

/** Undefined: made by an earlier run, and the cache has yet to tell us. */
const strangerOf = ({ kind, metadata: { labels, name } }: KubeObject): string | undefined =>
  labels?.[MANAGED_BY_LABEL] === MANAGED_BY ? undefined : `${kind} ${name}`;
