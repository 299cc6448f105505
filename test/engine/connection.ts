import { createClient } from "../../operator/platform/kube/create-client.ts";
import { readKubeConfig } from "../../operator/platform/kube/kubeconfig.ts";
import type { ConfigMap } from "../../operator/platform/kube/objects.ts";
import { createTransport } from "../../operator/platform/kube/transport.ts";
import { createWatch } from "../../operator/platform/kube/watch.ts";

/** These tests need a real API server, and change nothing but the namespace `default` and objects named `engine-…`. */
export const kubeconfig = (): string => {
  const file = process.env.BERTH_KUBECONFIG;
  if (file === undefined) throw new Error("BERTH_KUBECONFIG must name the kubeconfig of an API server to test against");
  return file;
};

export const connect = () => {
  const transport = createTransport(readKubeConfig(kubeconfig()));
  return { transport, client: createClient(transport), watch: createWatch(transport) };
};

/** A ConfigMap that only this test run knows. */
export const configMap = (name: string, labels: Record<string, string>, data: Record<string, string>): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", labels },
  data,
});
