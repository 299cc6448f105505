/** What is to be done for the router of a namespace. Pure. */
import type { ModelDeployment } from "../../api/v1alpha1/index.ts";
import { type Action, ensure, isEdited, remove, restoreTemplate } from "../../apply/actions.ts";
import { covers } from "../../apply/drift.ts";
import { mustBeMadeAnew } from "../../apply/immutable.ts";
import { signatureOf, signed } from "../../apply/signature.ts";
import type {
  Deployment,
  KubeObject,
  NetworkPolicy,
  PodDisruptionBudget,
  Resource,
  RoleBinding,
  ServiceAccount,
} from "../../platform/kube/objects.ts";
import {
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  ROLE_BINDINGS,
  SERVICE_ACCOUNTS,
} from "../../platform/kube/resources.ts";
import { type RouterRole, routerAccount, routerBinding } from "./children/account.ts";
import { type RouterSettings, routerDeployment } from "./children/deployment.ts";
import { routerBudget, routerPolicy } from "./children/protection.ts";
import { isRouterPart } from "./whose.ts";

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

export type RouterPlan = {
  actions: Action[];
  /** Objects of the routers' name that are not ours: they are not touched. */
  strangers: string[];
  /** The routers' pods are replaced by it. */
  isRoll: boolean;
};

export const planRouter = (
  observed: ObservedRouter,
  settings: RouterSettings & { role: RouterRole; operatorNamespace: string },
): RouterPlan => {
  const { account, binding, budget, deployment, policy, users } = observed;
  const parts = [account, binding, policy, deployment, budget];
  const strangers = parts
    .filter((part) => part !== undefined && !isRouterPart(part))
    .map((part) => `${part?.kind} ${part?.metadata.name}`);
  if (users.length === 0) {
    const gone = <T extends KubeObject>(resource: Resource<T>, object: T | undefined): Action[] =>
      object === undefined || !isRouterPart(object) ? [] : remove(resource, object);
    const actions = [
      ...gone(DEPLOYMENTS, deployment),
      ...gone(POD_DISRUPTION_BUDGETS, budget),
      ...gone(NETWORK_POLICIES, policy),
      ...gone(ROLE_BINDINGS, binding),
      ...gone(SERVICE_ACCOUNTS, account),
    ];
    return { actions, strangers: [], isRoll: false };
  }
  const intended = routerDeployment(observed, settings, deployment);
  // nobody else's account gets the routers' role, and no router runs under it
  const isAccountOurs = account !== undefined && isRouterPart(account);
  const kept = <T extends KubeObject>(resource: Resource<T>, object: T | undefined, part: T): Action[] =>
    object !== undefined && !isRouterPart(object) ? [] : ensure(resource, object, part);
  return {
    actions: [
      ...kept(SERVICE_ACCOUNTS, account, routerAccount(observed)),
      ...(isAccountOurs || binding !== undefined
        ? kept(ROLE_BINDINGS, binding, routerBinding(observed, settings.role))
        : []),
      ...kept(NETWORK_POLICIES, policy, routerPolicy(observed, settings.operatorNamespace)),
      ...restored(deployment, intended),
      ...(isAccountOurs || deployment !== undefined ? kept(DEPLOYMENTS, deployment, intended) : []),
      ...kept(POD_DISRUPTION_BUDGETS, budget, routerBudget(observed)),
    ],
    strangers,
    isRoll: deployment !== undefined && isRouterPart(deployment) && isOutdated(deployment, intended),
  };
};

/** This version, or these settings, make other routers. */
const isOutdated = (deployment: Deployment, intended: Deployment): boolean =>
  signatureOf(deployment) !== signatureOf(signed(intended));

/**
 * Takes off what somebody else has put into the pods: they see every request, and have a token. Where they are replaced anyway, what
 * an older version has posted goes with the rest.
 */
const restored = (deployment: Deployment | undefined, intended: Deployment): Action[] => {
  if (deployment === undefined || deployment.metadata.deletionTimestamp !== undefined || !isRouterPart(deployment))
    return [];
  if (mustBeMadeAnew(intended, deployment)) return [];
  const template = intended.spec?.template;
  const isReplaced = isOutdated(deployment, intended) && !covers(template, deployment.spec?.template);
  return isReplaced || isEdited(deployment) ? [restoreTemplate(DEPLOYMENTS, deployment, template)] : [];
};
