import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { load } from "js-yaml";
import { z } from "zod";
import { type Credentials, fingerprintOf, type ReadCredentials } from "./credentials.ts";
import { readPluginCredentials } from "./plugin-credentials.ts";

/** Where the kubelet puts the pod's token and the cluster's authority; it replaces the token at 80 % of its life. */
const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Credentials from a kubeconfig file or, without one, from the pod's service account. */
export const readKubeConfig = (file?: string): ReadCredentials => {
  if (file === undefined) return () => ofServiceAccount(process.env, SERVICE_ACCOUNT);
  const ofPlugin = readPluginCredentials(file);
  return async () => (await ofFile(file)) ?? (await ofPlugin());
};

/** @param folder with the files `token` and `ca.crt` */
export const ofServiceAccount = async (env: NodeJS.ProcessEnv, folder: string): Promise<Credentials> => {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = env;
  if (host === undefined) {
    throw new Error(
      "not in a cluster: KUBERNETES_SERVICE_HOST is not set; outside a cluster, name a file with --kubeconfig",
    );
  }
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const [token, ca] = await Promise.all([readFile(`${folder}/token`, "utf8"), readFile(`${folder}/ca.crt`, "utf8")]);
  return {
    server,
    headers: { Authorization: `Bearer ${token.trim()}` },
    tls: { ca },
    fingerprint: fingerprintOf(server, { ca }),
  };
};

const text = z.string().optional();
const cluster = z.object({
  server: z.url(),
  "certificate-authority": text,
  "certificate-authority-data": text,
  "insecure-skip-tls-verify": z.boolean().optional(),
  "tls-server-name": text,
  "proxy-url": text,
});
const user = z.object({
  token: text,
  tokenFile: text,
  username: text,
  password: text,
  "client-certificate": text,
  "client-certificate-data": text,
  "client-key": text,
  "client-key-data": text,
  exec: z.unknown().optional(),
  "auth-provider": z.unknown().optional(),
});
const list = <T extends z.ZodRawShape>(shape: T) => z.array(z.object({ name: z.string(), ...shape })).default([]);
const kubeconfig = z.object({
  "current-context": z.string().default(""),
  contexts: list({ context: z.object({ cluster: z.string(), user: z.string().default("") }) }),
  clusters: list({ cluster }),
  users: list({ user: user.nullish() }),
});

/** Undefined if the user has a plugin. Throws an `Error` that names the file and what is wrong in it. */
const ofFile = async (file: string): Promise<Credentials | undefined> => {
  const wrong = (what: string) => new Error(`${file}: ${what}`);
  const parsed = kubeconfig.safeParse(load(await readFile(file, "utf8")));
  if (!parsed.success) throw wrong(`not a kubeconfig: ${z.prettifyError(parsed.error).replaceAll("\n", " ")}`);
  const { "current-context": current, contexts, clusters, users } = parsed.data;
  const named = <T extends { name: string }>(items: T[], name: string) => items.find((item) => item.name === name);
  const context = named(contexts, current)?.context;
  const found = named(clusters, context?.cluster ?? "")?.cluster;
  if (context === undefined || found === undefined) throw wrong(`no cluster in the current context "${current}"`);
  if (found["proxy-url"]) throw wrong("proxy-url is not supported");
  const owner = named(users, context.user)?.user ?? {};
  if (owner.exec != null || owner["auth-provider"] != null) return undefined;

  const inlineOrFile = async (data: string | undefined, path: string | undefined): Promise<string | undefined> => {
    if (data !== undefined) return Buffer.from(data, "base64").toString();
    return path === undefined ? undefined : await readFile(resolve(dirname(file), path), "utf8");
  };
  const [ca, cert, key] = await Promise.all([
    inlineOrFile(found["certificate-authority-data"], found["certificate-authority"]),
    inlineOrFile(owner["client-certificate-data"], owner["client-certificate"]),
    inlineOrFile(owner["client-key-data"], owner["client-key"]),
  ]);
  const tls: Credentials["tls"] = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(found["tls-server-name"] ? { servername: found["tls-server-name"] } : {}),
    ...(found["insecure-skip-tls-verify"] ? { rejectUnauthorized: false } : {}),
  };
  const server = found.server.replace(/\/+$/, "");
  return { server, headers: await authorization(owner, file), tls, fingerprint: fingerprintOf(server, tls) };
};

/** The file wins over the token, as for kubectl: it is the one that is renewed. */
const authorization = async (owner: z.output<typeof user>, file: string): Promise<Record<string, string>> => {
  const { token, tokenFile, username, password } = owner;
  const bearer = tokenFile ? (await readFile(resolve(dirname(file), tokenFile), "utf8")).trim() : token;
  if (bearer) return { Authorization: `Bearer ${bearer}` };
  if (username === undefined) return {};
  return { Authorization: `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}` };
};
