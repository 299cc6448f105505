/** What a pod template still says of the spec that it was rendered from: enough to tell what runs, and too little to compare it. */
import { FETCH_CONTAINER, QUEUE_LABEL, SERVER_CONTAINER } from "../../../api/v1alpha1/index.ts";
import type { PodTemplate } from "../../../platform/kube/objects.ts";
import type { RevisionSpec } from "../revision-spec.ts";

export const specIn = ({ metadata, spec }: PodTemplate): RevisionSpec => {
  const server = spec?.containers.find(({ name }) => name === SERVER_CONTAINER);
  const fetch = spec?.initContainers?.find(({ name }) => name === FETCH_CONTAINER);
  const queueName = metadata?.labels?.[QUEUE_LABEL];
  const provider = after("--execution-provider", server?.args);
  // of what a container may ask for, devices alone have a vendor's domain
  const device = Object.entries(server?.resources?.limits ?? {}).find(([resource]) => resource.includes("/"));
  return {
    model: { uri: after("--uri", fetch?.args)?.replaceAll("$$", "$") ?? "" },
    server: { executionProvider: provider === "cuda" || provider === "tensorrt" ? provider : "cpu" },
    ...(device === undefined ? {} : { accelerator: { resourceName: device[0], count: Number(device[1]) || 1 } }),
    ...(queueName === undefined ? {} : { scheduling: { queueName } }),
  };
};

const after = (option: string, args: readonly string[] = []): string | undefined => {
  const at = args.indexOf(option);
  return at < 0 ? undefined : args[at + 1];
};
