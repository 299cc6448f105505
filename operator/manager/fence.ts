import type { Client } from "../kube/client.ts";
import { KubeError, NOT_LEADING } from "../kube/errors.ts";

/** The same client, which refuses to write once `mayWrite` is false: another process may be leading by now. */
export const fenceWrites = (client: Client, mayWrite: () => boolean): Client => {
  const check = () => {
    if (mayWrite()) return;
    throw new KubeError("not written: this process does not hold the lease", {
      kind: "retryable",
      reason: NOT_LEADING,
    });
  };
  return {
    ...client,
    async create(resource, object, options) {
      check();
      return await client.create(resource, object, options);
    },
    async apply(resource, object, options) {
      check();
      return await client.apply(resource, object, options);
    },
    async patch(resource, object, options) {
      check();
      return await client.patch(resource, object, options);
    },
    async delete(resource, key, options) {
      check();
      await client.delete(resource, key, options);
    },
  };
};
