import { readFile } from "node:fs/promises";
import { z } from "zod";

/** Where the real API server is, and the authority that signed its certificate (PEM). */
export type Upstream = { host: string; port: number; authority: string };

const kubeconfigSchema = z.object({
  clusters: z.array(z.object({ cluster: z.object({ server: z.url(), "certificate-authority-data": z.string() }) })),
});

/** The API server of a dev cluster's kubeconfig, which is JSON. */
export const upstreamOf = async (kubeconfig: string): Promise<Upstream> => {
  const [first] = kubeconfigSchema.parse(JSON.parse(await readFile(kubeconfig, "utf8"))).clusters;
  if (first === undefined) throw new Error(`${kubeconfig} names no cluster`);
  const { hostname, port } = new URL(first.cluster.server);
  const authority = Buffer.from(first.cluster["certificate-authority-data"], "base64").toString();
  return { host: hostname, port: Number(port), authority };
};
