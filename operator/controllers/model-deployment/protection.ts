/** What keeps a deployment's pods from being taken away all at once, and from being reached by everybody. Pure. */
import { isExternal, maxReplicasOf, networkPolicyName } from "../../api/v1alpha1/index.ts";
import { type Action, ensure, remove } from "../../apply/actions.ts";
import { NETWORK_POLICIES, POD_DISRUPTION_BUDGETS } from "../../platform/kube/resources.ts";
import { disruptionBudget } from "./children/disruption-budget.ts";
import { networkPolicy } from "./children/network-policy.ts";
import { named } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";

/** A budget for one pod would only keep its node from being drained. */
const SMALLEST_BUDGET = 2;

export const budgetActions = (observed: Observed, revision: Revision): Action[] => {
  const existing = named(observed.disruptionBudgets, revision.name);
  const { spec } = observed.modelDeployment;
  const isWanted = (isExternal(spec) ? observed.replicas : maxReplicasOf(spec)) >= SMALLEST_BUDGET;
  if (isWanted) return ensure(POD_DISRUPTION_BUDGETS, existing, disruptionBudget(observed.owner, revision.name));
  return existing === undefined ? [] : remove(POD_DISRUPTION_BUDGETS, existing);
};

export const policyActions = ({ networkPolicies, owner }: Observed, operatorNamespace: string): Action[] =>
  ensure(
    NETWORK_POLICIES,
    named(networkPolicies, networkPolicyName(owner.name)),
    networkPolicy(owner, operatorNamespace),
  );
