/**
 * Orders two resourceVersions of one kind: below 0, 0 or above 0. They are decimal integers without leading zeros,
 * of any size, so the longer is the greater and equal lengths compare as text (Kubernetes 1.35, KEP-5504).
 */
export const compareResourceVersions = (a: string, b: string): number => {
  if (a.length !== b.length) return a.length - b.length;
  return a === b ? 0 : a < b ? -1 : 1;
};
