/** What the API server says when it does not take an object: a quota, a policy, or something that is missing. Pure. */
import type { Reason } from "../../api/v1alpha1/index.ts";

export type Refused = { reason: Extract<Reason, "QuotaExceeded" | "AdmissionDenied"> | undefined; message: string };

type Rule = { pattern: RegExp; reason: Refused["reason"]; cure: (found: RegExpExecArray) => string };

const LIMIT_RANGE = () => "set spec.resources to what the LimitRange of the namespace allows, or change it";
/** Of RBAC: `group` is empty for Kubernetes' first kinds. */
const RIGHT = /User "([^"]+)" cannot (\S+) resource "([^"]+)" in API group "([^"]*)"/;
const LISTED = "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations";
const POLICY = () => "satisfy that policy, or exempt this ModelDeployment's objects from it";

/** Admission plugins, webhooks and policies, as the API server words their denials. The first that fits holds. */
const RULES: readonly Rule[] = [
  {
    pattern: /exceeded quota: ([^,]+)/,
    reason: "QuotaExceeded",
    cure: ([, quota]) => `raise ResourceQuota ${quota}, or ask for less`,
  },
  {
    pattern: /failed quota: [^:]+: must specify (.+)$/s,
    reason: "QuotaExceeded",
    cure: ([, demands = ""]) => `set ${namedIn(demands)} in spec.resources`,
  },
  {
    pattern: /failed quota: ([^:]+)/,
    reason: "QuotaExceeded",
    cure: ([, quota]) => `change ResourceQuota ${quota}, or spec.resources`,
  },
  {
    pattern: /insufficient quota to match these scopes/,
    reason: "QuotaExceeded",
    cure: () => "create a ResourceQuota with that scope in this namespace, or change spec.scheduling.priorityClassName",
  },
  {
    pattern: /status unknown for quota: ([^,]+)/,
    reason: "QuotaExceeded",
    cure: ([, quota]) => `wait until Kubernetes has counted for ResourceQuota ${quota}`,
  },
  {
    pattern: /violates PodSecurity "([^":]+)/,
    reason: "AdmissionDenied",
    cure: ([, level]) => `lower the namespace's label pod-security.kubernetes.io/enforce: ${level}`,
  },
  { pattern: /admission webhook "[^"]*" denied the request/, reason: "AdmissionDenied", cure: POLICY },
  {
    pattern: /failed calling webhook "([^"]*)"/,
    reason: "AdmissionDenied",
    cure: ([, webhook]) => `repair the service behind webhook ${webhook}, or remove its configuration`,
  },
  {
    pattern: /(?:ValidatingAdmissionPolicy|MutatingAdmissionPolicy) '[^']*' with binding '[^']*' denied request/,
    reason: "AdmissionDenied",
    cure: POLICY,
  },
  {
    pattern: /\b(?:minimum|maximum) \S+ usage per (?:Container|Pod|PersistentVolumeClaim) is/,
    reason: "AdmissionDenied",
    cure: LIMIT_RANGE,
  },
  {
    // the request is ours or the spec's, and the limit that it has not
    pattern:
      /spec\.(containers|initContainers)\[\d+\]\.resources\.requests: .*?: must be less than or equal to (\S+) limit/,
    reason: "AdmissionDenied",
    cure: ([, kind, resource]) =>
      `set ${kind === "containers" ? "spec.resources" : "spec.model.fetch.resources"}.limits.${resource}: a LimitRange of the namespace sets a limit below the request`,
  },
  { pattern: /max limit to request ratio per (?:Container|Pod) is/, reason: "AdmissionDenied", cure: LIMIT_RANGE },
  {
    pattern: RIGHT,
    reason: undefined,
    cure: ([, user = "", verb, resource = "", group]) =>
      `give ${accountIn(user)} that right again (${verb} ${group === "" ? resource : `${group}/${resource}`}), as the roles of Berth's chart do`,
  },
  {
    pattern: /no answer within [\d.]+ s|did not complete within/,
    reason: undefined,
    cure: () => `find out what holds it up, such as an admission webhook (${LISTED})`,
  },
  {
    pattern: /unable to validate against any security context constraint/,
    reason: "AdmissionDenied",
    cure: () => "on OpenShift, set podSecurityContext of Berth's chart to {runAsUser: null, runAsGroup: null}",
  },
  {
    pattern: /error looking up service account [^:]+: serviceaccounts? "([^"]+)" not found/,
    reason: undefined,
    cure: ([, name]) => `create ServiceAccount ${name}, or correct spec.serviceAccountName`,
  },
  {
    pattern: /no PriorityClass with name (\S+)/,
    reason: undefined,
    cure: ([, name]) => `create PriorityClass ${name}, or correct spec.scheduling.priorityClassName`,
  },
  {
    pattern: /RuntimeClass "?([^"\s]+)"? not found/,
    reason: undefined,
    cure: ([, name]) => `create RuntimeClass ${name}, or correct spec.scheduling.runtimeClassName`,
  },
];

/** `system:serviceaccount:berth-system:berth-operator` */
const accountIn = (user: string): string => {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):(.+)$/.exec(user) ?? [];
  return name === undefined ? `user ${user}` : `service account ${namespace}/${name}`;
};

/** Of `limits.cpu for: fetch,server; limits.memory for: server`, the resources. */
const namedIn = (demands: string): string =>
  demands
    .split(";")
    .map((demand) => demand.replace(/ for:.*$/s, "").trim())
    .join(" and ");

/** Without the words that stand before every refusal, and with what to do. `reason` is undefined where it is neither. */
export const refusalOf = (said: string): Refused => {
  const message = said.replace(/^\w+ "[^"]*" is forbidden: /, "");
  for (const { cure, pattern, reason } of RULES) {
    const found = pattern.exec(message);
    if (found !== null) return { reason, message: `${message}; ${cure(found)}` };
  }
  return { reason: undefined, message };
};
