/**
 * What Node is given to listen on `host`. For `::` no address at all: it then takes IPv6 and IPv4 alike, and IPv4 alone where the
 * node has no IPv6.
 */
export const listenAddress = (host: string): { host?: string } => (host === "::" ? {} : { host });
