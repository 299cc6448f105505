import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../kube/objects.ts";

/** `object` with the very spec of `old` where that says the same: what was worked out by it (`by-identity.ts`) is not worked out again. */
export const withSameSpec = <T extends KubeObject>(object: T, old: T): T => {
  if ("spec" in object && "spec" in old && isDeepStrictEqual(object.spec, old.spec)) object.spec = old.spec;
  return object;
};
