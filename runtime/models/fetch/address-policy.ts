import { lookup } from "node:dns/promises";
import { BlockList, isIP, isIPv6 } from "node:net";
import { Failure } from "../../errors/termination.ts";
import { embeddedIPv4 } from "./embedded.ts";
import { TransientFailure } from "./source.ts";

export type Address = { address: string; family: number };
/** Whether a connection to this IP address (in its canonical text) may be made. */
export type AddressPolicy = (address: string) => boolean;

/**
 * Where no model can be, but what must not be reached from a pod: the pod itself, the node's link (cloud metadata),
 * groups. Private ranges are not among them: Services of the cluster live there.
 */
const refused = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
  // Metadata and host services of clouds, outside of the link-local range.
  ["100.100.100.200", 32],
  ["168.63.129.16", 32],
  ["192.0.0.0", 24],
] as const) {
  refused.addSubnet(network, prefix, "ipv4");
}
for (const [network, prefix] of [
  ["::", 96], // unspecified, loopback, and the old form of IPv4 addresses
  ["fe80::", 10],
  ["ff00::", 8],
  ["fd00:ec2::254", 128], // metadata of clouds, in the private range
  ["fd20:ce::254", 128],
] as const) {
  refused.addSubnet(network, prefix, "ipv6");
}

/** An IPv6 address that embeds one of IPv4 falls under IPv4's rules, too: behind a translator or a tunnel it is that one. */
export const clusterAddressPolicy: AddressPolicy = (address) =>
  isIP(address) !== 0 &&
  !refused.check(address, isIPv6(address) ? "ipv6" : "ipv4") &&
  !embeddedIPv4(address).some((embedded) => refused.check(embedded, "ipv4"));

/**
 * The addresses of a URL's host, resolved once: connections are made to these and no others, so that a name cannot
 * change its meaning between check and use. Throws a Failure.
 */
export const resolveHost = async (
  hostname: string,
  policy: AddressPolicy,
  what = "the model's host",
): Promise<Address[]> => {
  const host = hostname.replace(/^\[|\]$/g, "");
  const family = isIP(host);
  const addresses = family === 0 ? await lookUp(host, what) : [{ address: host, family }];
  for (const { address } of addresses) {
    if (!policy(address)) {
      throw new Failure(
        "ModelUriInvalid",
        `${what} ${host} is ${address}, a loopback, link-local, metadata or multicast address, which Berth never fetches from; use another host`,
      );
    }
  }
  return addresses;
};

const lookUp = async (host: string, what: string): Promise<Address[]> => {
  try {
    return await lookup(host, { all: true });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const message = `${what} ${host} cannot be resolved (${code}); check the host name and the cluster's DNS`;
    // A pod's name server may answer a little later than the pod starts; a name that does not exist stays so.
    throw code === "ENOTFOUND" ? new Failure("ModelUnreachable", message) : new TransientFailure(message);
  }
};
