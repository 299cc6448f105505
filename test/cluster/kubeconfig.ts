import { readFile, writeFile } from "node:fs/promises";
import { certificate } from "./certificates.ts";
import { controlNode, network, type Plan, paths } from "./plan.ts";

/** Text of a kubeconfig. JSON, which every reader of YAML takes. Certificates and key are PEM text. */
export const renderKubeconfig = (
  cluster: string,
  user: string,
  server: string,
  pem: { authority: string; certificate: string; key: string },
): string => {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: cluster, cluster: { server, "certificate-authority-data": base64(pem.authority) } }],
    users: [
      {
        name: user,
        user: { "client-certificate-data": base64(pem.certificate), "client-key-data": base64(pem.key) },
      },
    ],
    contexts: [{ name: cluster, context: { cluster, user } }],
    "current-context": cluster,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
};

const write = async (plan: Plan, user: string, server: string, file: string): Promise<void> => {
  const own = certificate(plan, user);
  const pem = await Promise.all(
    [certificate(plan, "ca").certificate, own.certificate, own.key].map((source) => readFile(source, "utf8")),
  );
  const [authority = "", certificateText = "", key = ""] = pem;
  const text = renderKubeconfig(`berth-${plan.name}`, user, server, { authority, certificate: certificateText, key });
  await writeFile(file, text, { mode: 0o600 });
};

/** The kubeconfig of a component, which is on any node. */
export const componentKubeconfig = (plan: Plan, user: string): string => `${certificate(plan, user).key}.kubeconfig`;

/** Everyone's kubeconfig inside the cluster's network. */
export const writeKubeconfigs = async (plan: Plan): Promise<void> => {
  const server = `https://${controlNode(plan).address}:${network.apiPort}`;
  const users = ["admin", "kube-controller-manager", "kube-scheduler", "kube-proxy", ...plan.nodes.map((n) => n.name)];
  await Promise.all([
    ...users.map((user) => write(plan, user, server, componentKubeconfig(plan, user))),
    write(plan, "admin", `https://127.0.0.1:${network.apiPort}`, paths(plan).kubeconfig),
  ]);
};

/** @param address of the API server on the host's loopback, "127.0.0.1:PORT" */
export const writeHostKubeconfig = (plan: Plan, address: string): Promise<void> =>
  write(plan, "admin", `https://${address}`, paths(plan).hostKubeconfig);
