/** What the user has put on the pods; Berth's own labels come with the Deployment, and win. */
import type { PodTemplate } from "../../../platform/kube/objects.ts";
import type { RevisionSpec } from "../revision-spec.ts";
import { queueLabels } from "./pod-scheduling.ts";

export const podMetadata = (spec: RevisionSpec): Pick<PodTemplate, "metadata"> => {
  const metadata = {
    ...filled("labels", { ...spec.podLabels, ...queueLabels(spec) }),
    ...filled("annotations", spec.podAnnotations ?? {}),
  };
  return Object.keys(metadata).length > 0 ? { metadata } : {};
};

const filled = (field: "labels" | "annotations", map: Record<string, string>) =>
  Object.keys(map).length > 0 ? { [field]: map } : {};
