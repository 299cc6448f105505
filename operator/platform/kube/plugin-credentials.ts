import { stat } from "node:fs/promises";
import type { KubeConfig } from "@kubernetes/client-node";
import { type Credentials, fingerprintOf, type ReadCredentials } from "./credentials.ts";

/**
 * Credentials of a kubeconfig whose user runs a plugin (`exec`, `auth-provider`), as those of cloud providers do. A plugin is
 * asked again only when what it gave has expired, or the file has changed.
 *
 * @kubernetes/client-node knows how, and is loaded here only: it takes 0.8 s and 90 MB, which no pod needs.
 */
export const readPluginCredentials = (file: string): ReadCredentials => {
  let loaded: { config: KubeConfig; modified: number } | undefined;
  return async () => {
    const modified = (await stat(file)).mtimeMs;
    const runsPlugin = loaded?.config.getCurrentUser()?.exec != null;
    if (loaded === undefined || loaded.modified !== modified || !runsPlugin) {
      const { KubeConfig } = await import("@kubernetes/client-node");
      const config = new KubeConfig();
      config.loadFromFile(file);
      loaded = { config, modified };
    }
    return await credentialsOf(loaded.config, file);
  };
};

const credentialsOf = async (config: KubeConfig, file: string): Promise<Credentials> => {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`${file}: no cluster in the current context "${config.getCurrentContext()}"`);
  const options: Parameters<KubeConfig["applyToHTTPSOptions"]>[0] = {};
  await config.applyToHTTPSOptions(options);

  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (typeof value === "string") headers[name] = value.trim();
  }
  if (typeof options.auth === "string") {
    headers.Authorization = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  }
  const tls: Credentials["tls"] = {};
  for (const field of ["ca", "cert", "key"] as const) {
    const value = options[field];
    if (typeof value === "string" || Buffer.isBuffer(value)) tls[field] = value.toString();
  }
  if (cluster.tlsServerName) tls.servername = cluster.tlsServerName;
  if (cluster.skipTLSVerify) tls.rejectUnauthorized = false;
  const server = cluster.server.replace(/\/+$/, "");
  return { server, headers, tls, fingerprint: fingerprintOf(server, tls) };
};
