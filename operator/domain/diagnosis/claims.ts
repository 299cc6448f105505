/** Devices by dynamic resource allocation, in the scheduler's words and for those who wait for them. Pure. */
import type { Pod } from "../../platform/kube/objects.ts";

/** Reads like `the devices of claim gpu (spec.accelerator.claims)`; undefined for a pod that has no claims. */
export const claimedBy = ({ spec, status }: Pod): string | undefined => {
  const names = (spec?.resourceClaims ?? []).map(({ name }) => name);
  if (names.length > 0)
    return `the devices of ${names.length === 1 ? "claim" : "claims"} ${names.join(", ")} (spec.accelerator.claims)`;
  const resources = status?.extendedResourceClaimStatus?.requestMappings.map(({ resourceName }) => resourceName) ?? [];
  return resources.length === 0 ? undefined : `${[...new Set(resources)].join(", ")} (spec.accelerator)`;
};

type Rule = { pattern: RegExp; cure: (found: RegExpExecArray, pod: Pod) => string };

/** Why the scheduler cannot give them, as it words it; the first that fits holds. */
const RULES: readonly Rule[] = [
  {
    pattern: /device class (\S+) does not exist/,
    cure: ([, name]) => `install the driver that brings DeviceClass ${name}, or name another class in the claim`,
  },
  {
    pattern: /resourceclaim(?:\.resource\.k8s\.io)? "([^"]+)" not found/,
    cure: ([, name]) => `create ResourceClaim ${name}, or correct spec.accelerator.claims`,
  },
  {
    pattern: /ResourceClaim not created yet/,
    cure: (_, { spec }) => {
      const templates = (spec?.resourceClaims ?? []).flatMap((one) => one.resourceClaimTemplateName ?? []);
      return `check that ResourceClaimTemplate ${templates.join(" and ")} exists`;
    },
  },
  {
    pattern: /resourceclaim (?:in use|not available on the node)/,
    cure: () => "other pods hold it elsewhere; give each pod a claim of its own with resourceClaimTemplateName",
  },
  {
    pattern: /cannot allocate all claims|cannot fit resource|cannot schedule extended resource claim/,
    cure: () => "kubectl get resourceslices,resourceclaims -A shows which devices there are, and which are taken",
  },
];

/** What is to be done about what the scheduler says of claims; undefined where it says nothing of them. */
export const cureOfClaims = (pod: Pod, why: string): string | undefined => {
  for (const { cure, pattern } of RULES) {
    const found = pattern.exec(why);
    if (found !== null) return cure(found, pod);
  }
  return undefined;
};
