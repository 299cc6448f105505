/** The scheduler's message, in the words of the ModelDeployment. Pure. */
import { formatBytes, QUEUE_LABEL } from "../../api/v1alpha1/index.ts";
import type { Pod } from "../../platform/kube/objects.ts";
import { ONE } from "../placement/request.ts";
import type { Room } from "../placement/room.ts";
import { type Shortage, shortagesOf } from "../placement/shortage.ts";
import { isGated, unscheduled } from "../pods/pods.ts";
import type { Cause, Subject } from "./cause.ts";
import { claimedBy, cureOfClaims } from "./claims.ts";
import { nodeDemand } from "./demand.ts";

/** What no node has comes before what waits its turn in a queue. */
export const schedulingCause = ({ devices, pods, rooms = [], wanted }: Subject): Cause | undefined => {
  const who = (count: number) => `${count} of ${wanted} pods`;
  const waiting = pods.flatMap((pod) => {
    const message = unscheduled(pod, "Unschedulable");
    return message === undefined ? [] : [{ pod, message }];
  });
  const gated = pods.filter(isGated);
  if (waiting[0] !== undefined) {
    return {
      reason: "Unschedulable",
      message: inWords(who(waiting.length), waiting[0], devices, rooms),
      stalled: false,
    };
  }
  if (gated[0] === undefined) return undefined;
  return { reason: "SchedulingGated", message: `${who(gated.length)} ${heldBy(gated[0])}`, stalled: false };
};

type Unscheduled = { pod: Pod; message: string };

/** Kueue's gates, of which it removes one when it admits a pod. */
const KUEUE = "kueue.x-k8s.io/";

const heldBy = ({ metadata, spec }: Pod): string => {
  const gates = (spec?.schedulingGates ?? []).map(({ name }) => name);
  const queue = metadata.labels?.[QUEUE_LABEL];
  if (queue !== undefined && gates.some((gate) => gate.startsWith(KUEUE))) {
    return `wait in queue ${queue} until Kueue admits them; kubectl get localqueue ${queue} shows whether it exists and has quota`;
  }
  return `wait until the controllers of their scheduling gates remove them: ${gates.join(", ")}`;
};

/**
 * What keeps it from which nodes. What the scheduler says after that (`preemption: …`, `still not schedulable, …`) begins with
 * a small letter after a full stop, and is no news to the user.
 */
const reasonsIn = (message: string): { nodes: string | undefined; why: string } => {
  const [, nodes, why = message] =
    /^(\d+\/\d+) nodes are available: (.*?)(?:\.(?: [a-z].*)?)?$/s.exec(message.trim()) ?? [];
  return { nodes, why };
};

const inWords = (
  who: string,
  { pod, message }: Unscheduled,
  devices: Subject["devices"],
  rooms: readonly Room[],
): string => {
  const { nodes, why } = reasonsIn(message);
  const claim = /persistentvolumeclaim "([^"]+)" not found/.exec(message)?.[1];
  if (claim !== undefined) return `${who} wait for PersistentVolumeClaim ${claim}, which does not exist; create it`;
  const cure = cureOfClaims(pod, why);
  if (cure !== undefined) {
    const those = claimedBy(pod) ?? (devices === undefined ? "devices" : `${devices.count} ${devices.resource} each`);
    return `${who} wait for ${those}: ${nodes === undefined ? "" : `${nodes} nodes fit: `}${why}; ${cure}`;
  }
  const affinity = /didn't match Pod's node affinity/.test(why) ? nodeDemand(pod, rooms) : undefined;
  const scarce = [...why.matchAll(/Insufficient ([^\s,.]+(?:[./][^\s,.]+)*)/g)].map(([, resource]) => resource);
  if (devices !== undefined && scarce.includes(devices.resource)) {
    const free = devices.count === 1 ? "one" : String(devices.count);
    const those = affinity === undefined ? "nodes have" : `nodes are ${affinity} and have`;
    return `${who} wait for ${devices.count} ${devices.resource} each: ${nodes} ${those} ${free} free${byHowMuch(pod, devices.resource, rooms)}: ${why}`;
  }
  if (affinity !== undefined) return `${who} wait for a node that is ${affinity}: ${nodes} nodes fit: ${why}`;
  const resource = scarce[0];
  if (resource === undefined)
    return `${who} wait for a node: ${nodes === undefined ? "" : `${nodes} nodes fit: `}${why}`;
  return `${who} wait for ${requested(pod, resource)} ${resource} each: ${nodes} nodes have it free${byHowMuch(pod, resource, rooms)}: ${why}`;
};

/** So many nodes are named: those that come nearest. */
const NAMED_NODES = 3;

/** Reads like ` (node1 lacks 1: 0 of 4 are free; 2 more nodes with no smaller shortfall)`. */
const byHowMuch = ({ spec }: Pod, resource: string, rooms: readonly Room[]): string => {
  const shortages = spec === undefined ? [] : shortagesOf(rooms, spec, resource);
  if (shortages.length === 0) return "";
  const told = shortages.slice(0, NAMED_NODES).map((one) => lack(one, (amount) => sized(amount, resource)));
  const others = shortages.length - told.length;
  const rest = others === 0 ? [] : [`${others} more ${others === 1 ? "node" : "nodes"} with no smaller shortfall`];
  return ` (${[...told, ...rest].join("; ")})`;
};

const lack = ({ free, lacks, node, total }: Shortage, words: (amount: bigint) => string): string =>
  `${node} lacks ${words(lacks)}: ${words(free)} of ${words(total)} free`;

/** Bytes for people; everything else is counted, to a hundredth of a cpu. */
const sized = (billionths: bigint, resource: string): string => {
  const amount = Number(billionths) / Number(ONE);
  const isSize = resource === "memory" || resource === "ephemeral-storage" || resource.startsWith("hugepages-");
  return isSize ? formatBytes(amount) : String(Math.round(amount * 100) / 100);
};

const requested = ({ spec }: Pod, resource: string): string =>
  spec?.containers[0]?.resources?.requests?.[resource] ?? "enough";
