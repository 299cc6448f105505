/**
 * What somebody has added to a Service that sends requests astray, and that an apply leaves there, or is refused for. Everything else that
 * people add to a Service is theirs: a type, session affinity, a port more. Pure.
 */
import type { KubeObject, Service } from "../platform/kube/objects.ts";

type Port = NonNullable<NonNullable<Service["spec"]>["ports"]>[number];
type Correction = { internalTrafficPolicy?: null; publishNotReadyAddresses?: null; ports?: Port[] };

/** A JSON merge patch of `observed`'s spec; undefined: nothing is astray. */
export const correctionOf = (intended: KubeObject, observed: KubeObject): Correction | undefined => {
  if (!isService(intended) || !isService(observed)) return undefined;
  const { internalTrafficPolicy, ports = [], publishNotReadyAddresses } = observed.spec ?? {};
  const wanted = intended.spec?.ports ?? [];
  const correction: Correction = {
    // a node without a pod of its own would refuse the requests of all its clients
    ...(internalTrafficPolicy === "Local" ? { internalTrafficPolicy: null } : {}),
    // requests would go to pods that load their model, and to those that are leaving
    ...(publishNotReadyAddresses === true ? { publishNotReadyAddresses: null } : {}),
    ...(ports.some((port) => isMoved(port, wanted)) ? { ports: portsOf(wanted, ports) } : {}),
  };
  return Object.keys(correction).length === 0 ? undefined : correction;
};

const isService = (object: KubeObject): object is Service => object.kind === "Service";

const isSame = (one: Port, other: Port): boolean =>
  one.port === other.port && (one.protocol ?? "TCP") === (other.protocol ?? "TCP");

/** An apply tells ports by their numbers: it would add ours beside the one that has its name, and be refused. */
const isMoved = (port: Port, wanted: readonly Port[]): boolean =>
  wanted.some((one) => one.name === port.name && !isSame(one, port));

/** Ours, with what a Service of another type has been given for them, and whatever else there is. */
const portsOf = (wanted: readonly Port[], ports: readonly Port[]): Port[] => [
  ...wanted.map((one) => ({ ...ports.find((port) => isSame(one, port)), ...one })),
  ...ports.filter((port) => !wanted.some((one) => one.name === port.name || isSame(one, port))),
];
