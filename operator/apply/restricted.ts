/** What Pod Security's standard `restricted` asks of our pods, and more: a root file system that cannot be written. */
import type { PodTemplate } from "../platform/kube/objects.ts";

type PodSpec = NonNullable<PodTemplate["spec"]>;

/** The user and group that pods run as; `namespace`: whichever the namespace gives them, as OpenShift's restricted-v2 wants it. */
export type PodUser = number | "namespace";

/** That of the images, too. */
export const POD_USER = 65_532;

export const restrictedPod = (user: PodUser = POD_USER): NonNullable<PodSpec["securityContext"]> => ({
  runAsNonRoot: true,
  ...(user === "namespace" ? {} : { runAsUser: user, runAsGroup: user }),
  seccompProfile: { type: "RuntimeDefault" },
});

export const restrictedContainer: NonNullable<PodSpec["containers"][number]["securityContext"]> = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};
