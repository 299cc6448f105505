/** How far a revision has come that nothing is known to be wrong with. Pure. */
import type { FetchProgress } from "../../api/v1alpha1/index.ts";
import { isUntold } from "../../domain/pods/pods.ts";
import { inWords } from "./fetching.ts";
import { podsOf, readyOf, wantedOf } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";

/** Pods may wait for something that the spec names and that does not exist; nothing in their status says so. */
export const progress = (observed: Observed, revision: Revision, fetch?: FetchProgress): string => {
  const done = `${readyOf(observed, revision)} of ${wantedOf(observed, revision)} pods of ${revision.name} are ready`;
  if (fetch !== undefined) return `${done}; ${inWords(fetch)}`;
  const pods = podsOf(observed, revision);
  const claims = claimsOf(revision);
  if (claims.length > 0 && pods.some(isUntold))
    return `${done}; check that their claims exist: ${claims.join(" and ")}`;
  return done;
};

const claimsOf = ({ spec }: Revision): string[] =>
  (spec.accelerator?.claims ?? []).map(({ resourceClaimName, resourceClaimTemplateName }) =>
    resourceClaimName === undefined
      ? `ResourceClaimTemplate ${resourceClaimTemplateName}`
      : `ResourceClaim ${resourceClaimName}`,
  );
