/** Defaults that are in the CRD itself, so that the stored object has them, though nobody wrote them. */

/** `spec.replicas`. */
export const DEFAULT_REPLICAS = 1;
