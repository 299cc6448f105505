/** What Pod Security's standard `restricted` asks of our pods, and more: a root file system that cannot be written. */
import type { PodTemplate } from "../kube/objects.ts";

type PodSpec = NonNullable<PodTemplate["spec"]>;

export const restrictedPod: NonNullable<PodSpec["securityContext"]> = {
  runAsNonRoot: true,
  runAsUser: 65532,
  runAsGroup: 65532,
  seccompProfile: { type: "RuntimeDefault" },
};

export const restrictedContainer: NonNullable<PodSpec["containers"][number]["securityContext"]> = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};
