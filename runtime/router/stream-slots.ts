/**
 * Streams have slots of their own, so that whoever is silent for hours takes no place from a request that is answered in milliseconds;
 * and no client has them all.
 */

/** A client's connection. */
export type Client = {
  /** Without its port. */
  readonly address: string;
  /** Open on this connection. */
  streams: number;
};

export type StreamSlots = {
  /** Undefined where it is taken; else why not. `slots`: those that all pods of the revision have together. */
  take(client: Client, slots: number): string | undefined;
  give(client: Client): void;
};

/** A program with a single connection for all of its users is served; a second one finds a place as well. */
const CONNECTION_SHARE = 1 / 2;
const ADDRESS_SHARE = 3 / 4;

export const createStreamSlots = (): StreamSlots => {
  const byAddress = new Map<string, number>();
  return {
    take(client, slots) {
      const most = { connection: atLeastOne(slots * CONNECTION_SHARE), address: atLeastOne(slots * ADDRESS_SHARE) };
      const open = byAddress.get(client.address) ?? 0;
      if (client.streams >= most.connection)
        return `this connection has ${client.streams} streams open, and one connection may have ${most.connection} of ${slots}; close some, or use another connection`;
      if (open >= most.address)
        return `${client.address} has ${open} streams open, and one address may have ${most.address} of ${slots}; close some`;
      client.streams++;
      byAddress.set(client.address, open + 1);
      return undefined;
    },
    give(client) {
      client.streams--;
      const open = (byAddress.get(client.address) ?? 1) - 1;
      if (open > 0) byAddress.set(client.address, open);
      else byAddress.delete(client.address);
    },
  };
};

const atLeastOne = (share: number): number => Math.max(1, Math.floor(share));
