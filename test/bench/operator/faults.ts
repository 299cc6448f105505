/** Three objects that cannot serve, on a real node: how long until their own status says why. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../../cluster/index.ts";
import { read } from "../../world/model-deployment.ts";

export type Named = { fault: string; seconds?: number; message: string };

type Fault = { fault: string; name: string; names: RegExp; spec: object };

const MOST_MS = 60_000;
const POLL_MS = 100;

/** Nobody knows this host: its container ends with exit code 1 at once. */
const MODEL = { uri: "https://models.invalid/none.onnx" };

/** The operator was started with an image that nobody has. */
export const IMAGE_FAULT: Fault = {
  fault: "image that cannot be pulled",
  name: "no-image",
  names: /image.*(pull|nope)/i,
  spec: { model: MODEL },
};

export const OTHER_FAULTS: readonly Fault[] = [
  {
    fault: "16 GPUs in one pod, where the node has 4",
    name: "no-devices",
    names: /nvidia\.com\/gpu/,
    spec: { model: MODEL, accelerator: { vendor: "nvidia", count: 16 } },
  },
  {
    fault: "container that ends with exit code 1 at once",
    name: "no-start",
    names: /models\.invalid/,
    spec: { model: MODEL },
  },
];

/** From the apply's answer to the first status whose message names the cause. */
export const nameFault = async (
  { kubectl, ...cluster }: Cluster,
  namespace: string,
  { fault, name, names, spec }: Fault,
): Promise<Named> => {
  const object = { apiVersion: "berth.dev/v1alpha1", kind: "ModelDeployment", metadata: { name, namespace }, spec };
  await kubectl(["apply", "-f", "-"], { input: JSON.stringify(object) });
  const begun = performance.now();
  for (;;) {
    const { status } = await read({ kubectl, ...cluster }, namespace, name);
    const seconds = (performance.now() - begun) / 1000;
    const message = status.message ?? "";
    if (names.test(message)) return { fault, seconds, message };
    if (seconds * 1000 > MOST_MS) return { fault, message };
    await sleep(POLL_MS);
  }
};
