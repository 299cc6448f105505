/** What is seen only for a moment: every version of a namespace's ModelDeployments. */
import { MODEL_DEPLOYMENTS, type ModelDeployment } from "../../operator/api/v1alpha1/index.ts";
import { readKubeConfig } from "../../operator/platform/kube/kubeconfig.ts";
import { createTransport } from "../../operator/platform/kube/transport.ts";
import { createWatch } from "../../operator/platform/kube/watch.ts";

/** Every version from now on, until `stop`, which resolves with them. A watch lasts five minutes at most. */
export const record = (kubeconfig: string, namespace: string): { stop(): Promise<ModelDeployment[]> } => {
  const transport = createTransport(readKubeConfig(kubeconfig));
  const stopping = new AbortController();
  const versions: ModelDeployment[] = [];
  const following = (async () => {
    const from = { namespace, resourceVersion: "0" };
    for await (const event of createWatch(transport)(MODEL_DEPLOYMENTS, from, stopping.signal)) {
      if ("object" in event) versions.push(event.object);
    }
  })().catch((error: unknown) => (stopping.signal.aborted ? undefined : Promise.reject(error)));
  return {
    stop: async () => {
      stopping.abort();
      await following;
      await transport.close();
      return versions;
    },
  };
};
