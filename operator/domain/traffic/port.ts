/** The ports of a namespace's routers: one for each ModelDeployment, and no two the same. Pure. */

/** Above what programs are usually given, and below the ports that Linux gives to outgoing connections (from 32768). */
export const FIRST_PORT = 20_000;
export const PORTS = 10_000;

/** A ModelDeployment of the same namespace that has a port. `createdAt` as in its metadata. */
export type Neighbour = { uid: string; port: number; createdAt: string };

/**
 * The port that it has, or else one that nobody has. Two that were given one at the same moment may have the same: then the
 * older one keeps it. It follows from the uid where that is free, so that a lost status brings the same port again.
 */
export const portFor = (
  own: { uid: string; createdAt: string; port?: number | undefined },
  others: readonly Neighbour[],
): number => {
  const isElder = (other: Neighbour): boolean =>
    other.createdAt < own.createdAt || (other.createdAt === own.createdAt && other.uid < own.uid);
  const { port, uid } = own;
  if (port !== undefined && !others.some((other) => other.port === port && isElder(other))) return port;
  const taken = new Set(others.map((other) => other.port));
  const first = hash(uid) % PORTS;
  for (let i = 0; i < PORTS; i++) {
    const candidate = FIRST_PORT + ((first + i) % PORTS);
    if (!taken.has(candidate)) return candidate;
  }
  throw new Error(`all ${PORTS} router ports of the namespace are taken`);
};

/** FNV-1a, 32 bits: any spread will do. */
const hash = (text: string): number => {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value;
};
