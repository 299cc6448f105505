import { PIN_KEY } from "../../../api/v1alpha1/index.ts";
import type { ConfigMap } from "../../../platform/kube/objects.ts";
import { childMeta, type Owner } from "./owner.ts";

/** The digest of the bytes that a revision was first proved with. It never changes; deleting it makes the next ready pod set it. */
export const pinConfigMap = (owner: Owner, revision: string, digest: string): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: childMeta(owner, revision, revision),
  immutable: true,
  data: { [PIN_KEY]: digest },
});
