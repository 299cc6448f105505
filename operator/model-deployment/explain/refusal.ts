/** What the API server says when it does not take an object: a quota, a policy, or something that is missing. Pure. */
import type { Reason } from "../../api/v1alpha1/index.ts";

export type Refused = { reason: Extract<Reason, "QuotaExceeded" | "AdmissionDenied"> | undefined; message: string };

/** Admission plugins, webhooks and policies, as the API server words their denials. */
const DENIALS = [
  /violates PodSecurity/,
  /admission webhook "[^"]*" denied the request/,
  /ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request/,
  /\b(?:minimum|maximum) \S+ usage per (?:Container|Pod|PersistentVolumeClaim) is/, // LimitRange
  /no PriorityClass with name/,
];

/** Without the words that stand before every refusal, and with what to do. `reason` is undefined where it is neither. */
export const refusalOf = (said: string): Refused => {
  const message = said.replace(/^\w+ "[^"]*" is forbidden: /, "");
  const quota = /exceeded quota: ([^,]+)/.exec(message)?.[1] ?? /failed quota: ([^:]+)/.exec(message)?.[1];
  if (quota !== undefined) {
    return { reason: "QuotaExceeded", message: `${message}; raise ResourceQuota ${quota}, or ask for less` };
  }
  if (DENIALS.some((denial) => denial.test(message))) return { reason: "AdmissionDenied", message };
  return { reason: undefined, message };
};
