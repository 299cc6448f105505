/** `--proxy`: which hosts go through it, and how it is connected to. */
import type { ClientRequestArgs } from "node:http";
import { isIP } from "node:net";
import { type Dispatcher, Pool, ProxyAgent } from "undici";
import { Failure } from "../../errors/termination.ts";
import { type Address, type AddressPolicy, resolveHost } from "./address-policy.ts";
import { TransientFailure } from "./source.ts";

/** `noProxy`: hosts that are reached directly, with all below them. */
export type ModelProxy = { url: URL; noProxy: readonly string[] };

type Timeouts = { connectMs: number; headersMs: number; idleMs: number };

/** Throws a Failure on what is no address of a proxy. */
export const parseProxy = (url: string, noProxy: string): ModelProxy => {
  const parsed = URL.parse(url);
  const isProxy =
    parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.pathname === "/" && parsed.search === "";
  if (!isProxy || parsed.username !== "" || parsed.password !== "")
    throw new Failure(
      "ModelUriInvalid",
      "spec.model.proxy.url: write http://host[:port] or https://host[:port], without a user",
    );
  return { url: parsed, noProxy: noProxy.split(",").filter((host) => host !== "") };
};

/** The proxy that this host is reached through, if it is one of those. */
export const proxyFor = (proxy: ModelProxy | undefined, hostname: string): ModelProxy | undefined => {
  const host = bare(hostname);
  const isDirect = proxy?.noProxy.some((entry) => {
    const name = bare(entry).replace(/^\./, "");
    return host === name || (isIP(host) === 0 && host.endsWith(`.${name}`));
  });
  return isDirect ? undefined : proxy;
};

/** As URLs have it: in lower case, IPv6 in its shortest form; without a final dot, which only says that a name is whole. */
const bare = (hostname: string): string => {
  const host = hostname.toLowerCase().replace(/^\[|\]$/g, "");
  return isIP(host) === 6 ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host.replace(/\.$/, "");
};

/**
 * Connections through the proxy. Its own address is held to the policy. So is the model's, where it is known here: many names are known to the
 * proxy alone.
 */
export const throughProxy = async (
  proxy: ModelProxy,
  host: string,
  { ca, policy, timeouts }: { ca: string[] | undefined; policy: AddressPolicy; timeouts: Timeouts },
): Promise<Dispatcher> => {
  await resolveHost(host, policy).catch(ifUnknown);
  const addresses = await resolveHost(proxy.url.hostname, policy, "spec.model.proxy.url: the proxy's host");
  const trusted = ca === undefined ? {} : { ca };
  return new ProxyAgent({
    uri: proxy.url.href,
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.idleMs,
    connectTimeout: timeouts.connectMs,
    proxyTls: { ...trusted, lookup: lookupOf(addresses) },
    requestTls: { ...trusted, ...(isIP(bare(host)) === 0 ? { servername: host } : {}) },
    clientFactory: (origin, options) => new Pool(origin, { ...options, headersTimeout: timeouts.headersMs }),
  });
};

/** To addresses that were checked, and no others. */
export const lookupOf =
  (addresses: Address[]): NonNullable<ClientRequestArgs["lookup"]> =>
  (_host, _options, callback) =>
    callback(null, addresses);

const ifUnknown = (error: unknown): void => {
  if (!(error instanceof Failure) || error.code !== "ModelUnreachable") throw error;
};

/** What a proxy that answers something else than a tunnel means; undefined where it did not. */
export const refusalByProxy = (proxy: ModelProxy | undefined, error: unknown): Failure | undefined => {
  const message = error instanceof Error ? error.message : "";
  const status =
    /^Proxy response \((\d+)\)/.exec(message)?.[1] ?? /^Proxy Authentication Required \((407)\)/.exec(message)?.[1];
  if (proxy === undefined || status === undefined) return undefined;
  const told = `the proxy ${proxy.url.host} answered ${status}`;
  if (status === "407")
    return new Failure(
      "ModelUnreachable",
      `${told}: it requires authentication, which Berth does not support; use a proxy without`,
    );
  return Number(status) < 500 && status !== "429"
    ? new Failure(
        "ModelUnreachable",
        `${told}: it denies the model's host; change its rules, or set spec.model.proxy.noProxy`,
      )
    : new TransientFailure(told);
};
