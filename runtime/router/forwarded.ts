/** What the router tells pods of the client: Forwarded (RFC 7239), X-Forwarded-*, Via (RFC 9110, 7.6.3). */
import { BlockList, isIP } from "node:net";
import { parseForwardedTrust } from "../../contract/forwarded-trust.ts";
import { isHopByHop, namesIn, withoutNamed } from "./hop-by-hop.ts";
import type { Fields } from "./message.ts";

/** Whether an address may say whom it speaks for. */
export type IsTrusted = (address: string) => boolean;

/** @param trust none, all, or addresses and ranges; undefined where it is none of these */
export const createTrust = (trust: string): IsTrusted | undefined => {
  const trusted = parseForwardedTrust(trust);
  if (trusted === "all") return () => true;
  if (trusted === undefined) return undefined;
  const list = new BlockList();
  for (const { address, bits, version } of trusted) list.addSubnet(address, bits, version);
  return (address) => list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
};

/** The client's end of a connection, as pods are told of it. */
export type Sender = {
  trusted: boolean;
  address: string;
  /** Of the router's end, for who names no host. */
  local: string;
  /** As `via` and `forwarded` have it. */
  via: string;
  node: string;
};

/** A socket's; undefined where it is closed already. */
type Ends = {
  remoteAddress?: string | undefined;
  localAddress?: string | undefined;
  localPort?: number | undefined;
};

/** Of IPv4 over IPv6 (::ffff:10.0.0.1), the IPv4 address counts. */
export const senderOf = (
  { remoteAddress = "", localAddress = "", localPort = 0 }: Ends,
  isTrusted: IsTrusted,
  version: "1.1" | "2",
): Sender => {
  const address = withoutMapping(remoteAddress);
  const local = withoutMapping(localAddress);
  return {
    trusted: address !== "" && isTrusted(address),
    address,
    local: `${local.includes(":") ? `[${local}]` : local}:${localPort}`,
    via: `${version} berth`,
    node: address.includes(":") ? `"[${address}]"` : address,
  };
};

const withoutMapping = (address: string): string => (address.startsWith("::ffff:") ? address.slice(7) : address);

/**
 * The fields of a request as they go to a pod. Of a client that is not trusted, nothing goes on that says whom it speaks for: that
 * is its own address.
 */
export const fieldsToPod = (fields: Fields, sender: Sender): string[] => {
  const kept: string[] = [];
  let named: Set<string> | undefined;
  let host: string | undefined;
  let proto: string | undefined;
  let forwardedHost: string | undefined;
  let forwardedFor: string | undefined;
  let forwarded: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    const value = fields[i + 1] ?? "";
    if (isHopByHop(name)) {
      if (name === "connection") named = namesIn(value, named);
    } else if (!isForwarding(name)) {
      // trailers of requests are not passed on
      if (name === "trailer") continue;
      if (name === "host") host = value;
      kept.push(name, value);
    } else if (sender.trusted) {
      if (name === "x-forwarded-for") forwardedFor = joined(forwardedFor, value);
      else if (name === "x-forwarded-proto") proto = value;
      else if (name === "x-forwarded-host") forwardedHost = value;
      else if (name === "forwarded") forwarded = joined(forwarded, value);
      else kept.push(name, value);
    }
  }
  const all = withoutNamed(kept, named);
  if (host === undefined) all.push("host", sender.local);
  all.push("x-forwarded-for", joined(forwardedFor, sender.address));
  all.push("x-forwarded-proto", proto ?? "http", "x-forwarded-host", forwardedHost ?? host ?? sender.local);
  if (forwarded !== undefined) all.push("forwarded", `${forwarded}, for=${sender.node};proto=http`);
  all.push("via", sender.via);
  return all;
};

const isForwarding = (name: string): boolean =>
  name.startsWith("x-forwarded-") || name === "forwarded" || name === "x-real-ip";

const joined = (before: string | undefined, value: string): string =>
  before === undefined ? value : `${before}, ${value}`;
