import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { KubeConfig } from "@kubernetes/client-node";

/** What a connection to the API server needs. `headers` hold the token, the rest decides whose TLS session it is. */
export type Credentials = {
  server: string;
  headers: Record<string, string>;
  tls: { ca?: string; cert?: string; key?: string; servername?: string; rejectUnauthorized?: boolean };
  /** Changes when a new TLS connection must be made. */
  fingerprint: string;
};

/** Reads the credentials as they are now; files on disk (token, CA, client certificate) are read anew. */
export type ReadCredentials = () => Promise<Credentials>;

/**
 * Credentials from a kubeconfig file or, without one, from the pod's service account.
 * An exec plugin is asked again only when what it gave has expired, or the file has changed.
 */
export const readKubeConfig = (file?: string): ReadCredentials => {
  let loaded: { config: KubeConfig; modified: number } | undefined;
  return async () => {
    const modified = file === undefined ? 0 : (await stat(file)).mtimeMs;
    const runsPlugin = loaded?.config.getCurrentUser()?.exec != null;
    if (loaded === undefined || loaded.modified !== modified || !runsPlugin) {
      const config = new KubeConfig();
      if (file === undefined) loadServiceAccount(config);
      else config.loadFromFile(file);
      loaded = { config, modified };
    }
    return await credentialsOf(loaded.config, file ?? "the pod's service account");
  };
};

const loadServiceAccount = (config: KubeConfig): void => {
  if (process.env.KUBERNETES_SERVICE_HOST === undefined) {
    throw new Error(
      "not in a cluster: KUBERNETES_SERVICE_HOST is not set; outside a cluster, name a file with --kubeconfig",
    );
  }
  config.loadFromCluster();
};

const credentialsOf = async (config: KubeConfig, source: string): Promise<Credentials> => {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`${source}: no cluster in the current context "${config.getCurrentContext()}"`);
  if (cluster.proxyUrl) throw new Error(`${source}: proxy-url is not supported`);
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
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([cluster.server, tls]))
    .digest("hex");
  return { server: cluster.server.replace(/\/+$/, ""), headers, tls, fingerprint };
};
