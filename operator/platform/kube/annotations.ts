/** Annotations of Kubernetes' own tools. */

/** On a pod template, by `kubectl rollout restart`. */
export const KUBECTL_RESTARTED_ANNOTATION = "kubectl.kubernetes.io/restartedAt";
