import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { ROUTER_LABEL } from "../../api/v1alpha1/index.ts";
import { createIndexedStore } from "../../platform/cache/indexed-store.ts";
import type { Pod } from "../../platform/kube/objects.ts";
import { createRouterPods } from "./router-pods.ts";

it("are those of the store that have the label, whatever has come, changed and gone", () => {
  const change = fc.record({
    verb: fc.constantFrom("put" as const, "remove" as const, "replace" as const),
    namespace: fc.constantFrom("a", "b"),
    name: fc.constantFrom("router-1", "router-2", "model-1"),
    label: fc.constantFrom("true", "false", undefined),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const store = createIndexedStore<Pod>();
      const routers = createRouterPods(store);
      changes.forEach(({ label, name, namespace, verb }, at) => {
        const version = String(at);
        const labels: Record<string, string> = label === undefined ? {} : { [ROUTER_LABEL]: label };
        const metadata = { name, namespace, labels, uid: `${namespace}/${name}`, resourceVersion: version };
        const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata };
        if (verb === "put") store.put(pod, version);
        else if (verb === "remove") store.remove(pod, version);
        else store.replace([pod], version);
        const wanted = [...store.list()].filter((one) => one.metadata.labels?.[ROUTER_LABEL] === "true");
        assert.deepEqual(new Set(routers.list()), new Set(wanted));
      });
    }),
  );
});
