/** What `domain/diagnosis/` is asked about: one revision, as it is observed. Pure. */
import { devicesOf } from "../../api/v1alpha1/index.ts";
import type { Mount, Subject } from "../../domain/diagnosis/cause.ts";
import type { Room } from "../../domain/placement/room.ts";
import { claimOf } from "./children/pod-template.ts";
import { deploymentOf, lacksClaims, podsOf, wantedOf } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";

/**
 * @param now milliseconds since 1970
 * @param rooms of the nodes, where the revision's pods wait for them
 */
export const subjectOf = (observed: Observed, revision: Revision, now: number, rooms?: readonly Room[]): Subject => ({
  deployment: deploymentOf(observed, revision),
  pods: podsOf(observed, revision),
  wanted: wantedOf(observed, revision),
  devices: devicesOf(revision.spec),
  lacksClaims: lacksClaims(observed, revision),
  mounts: mountsOf(revision),
  rooms,
  now,
});

/** Those whose absence holds a pod up; where they come from is where the user corrects them. */
const mountsOf = ({ spec: { model } }: Revision): Mount[] => {
  const { caBundle, credentials, uri } = model;
  const claim = claimOf(uri);
  return [
    ...(caBundle ? [{ what: `ConfigMap ${caBundle.configMapName} (spec.model.caBundle)`, isClaim: false }] : []),
    ...(credentials ? [{ what: `Secret ${credentials.secretName} (spec.model.credentials)`, isClaim: false }] : []),
    ...(claim ? [{ what: `PersistentVolumeClaim ${claim} (spec.model.uri)`, isClaim: true }] : []),
  ];
};
