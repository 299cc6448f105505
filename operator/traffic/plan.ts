/** What is to be done for the router of a namespace. Pure. */
import { isRoutedBySpec, type ModelDeployment } from "../api/v1alpha1/index.ts";
import { type Action, ensure, remove } from "../apply/actions.ts";
import type {
  Deployment,
  KubeObject,
  NetworkPolicy,
  PodDisruptionBudget,
  Resource,
  RoleBinding,
  ServiceAccount,
} from "../kube/objects.ts";
import {
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  ROLE_BINDINGS,
  SERVICE_ACCOUNTS,
} from "../kube/resources.ts";
import { type RouterRole, routerAccount, routerBinding } from "./children/account.ts";
import { type RouterSettings, routerDeployment } from "./children/deployment.ts";
import { routerBudget, routerPolicy } from "./children/protection.ts";

/** What there is of it; `users`: the ModelDeployments of the namespace that need it. */
export type ObservedRouter = {
  namespace: string;
  users: readonly ModelDeployment[];
  deployment: Deployment | undefined;
  account: ServiceAccount | undefined;
  binding: RoleBinding | undefined;
  budget: PodDisruptionBudget | undefined;
  policy: NetworkPolicy | undefined;
};

/** It needs the router by its spec, or clients may still reach it there: then it has a table. */
export const needsRouter = ({ metadata, spec, status }: ModelDeployment): boolean =>
  metadata.deletionTimestamp === undefined && (isRoutedBySpec(spec) || status?.traffic !== undefined);

export const planRouter = (
  observed: ObservedRouter,
  settings: RouterSettings & { role: RouterRole; operatorNamespace: string },
): Action[] => {
  const { account, binding, budget, deployment, policy, users } = observed;
  if (users.length === 0) {
    const gone = <T extends KubeObject>(resource: Resource<T>, object: T | undefined): Action[] =>
      object === undefined || object.metadata.deletionTimestamp !== undefined ? [] : [remove(resource, object)];
    return [
      ...gone(DEPLOYMENTS, deployment),
      ...gone(POD_DISRUPTION_BUDGETS, budget),
      ...gone(NETWORK_POLICIES, policy),
      ...gone(ROLE_BINDINGS, binding),
      ...gone(SERVICE_ACCOUNTS, account),
    ];
  }
  return [
    ...ensure(SERVICE_ACCOUNTS, account, routerAccount(observed)),
    ...ensure(ROLE_BINDINGS, binding, routerBinding(observed, settings.role)),
    ...ensure(NETWORK_POLICIES, policy, routerPolicy(observed, settings.operatorNamespace)),
    ...ensure(DEPLOYMENTS, deployment, routerDeployment(observed, settings)),
    ...ensure(POD_DISRUPTION_BUDGETS, budget, routerBudget(observed)),
  ];
};
