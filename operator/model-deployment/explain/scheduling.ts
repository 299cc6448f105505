/** The scheduler's message, in the words of the ModelDeployment. Pure. */
import type { Pod } from "../../kube/objects.ts";
import type { Cause, Subject } from "./cause.ts";

export const schedulingCause = ({ devices, pods, wanted }: Subject): Cause | undefined => {
  const waiting = pods.flatMap((pod) => unscheduled(pod) ?? []);
  const first = waiting[0];
  if (first === undefined) return undefined;
  const who = `${waiting.length} of ${wanted} pods`;
  return { reason: "Unschedulable", message: inWords(who, first, devices), stalled: false };
};

type Unscheduled = { pod: Pod; message: string };

const unscheduled = (pod: Pod): Unscheduled | undefined => {
  const condition = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (condition?.status !== "False") return undefined;
  if (condition.reason === "SchedulingGated") return { pod, message: "held back by a scheduling gate" };
  return condition.reason === "Unschedulable" ? { pod, message: condition.message ?? "" } : undefined;
};

const inWords = (who: string, { pod, message }: Unscheduled, devices: Subject["devices"]): string => {
  // "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: …": preemption is no news to the user.
  const [, nodes, why = message] =
    /^(\d+\/\d+) nodes are available: (.*?)\.?(?: no new claims.*| preemption:.*)?$/s.exec(message) ?? [];
  const claim = /persistentvolumeclaim "([^"]+)" not found/.exec(message)?.[1];
  if (claim !== undefined) return `${who} wait for PersistentVolumeClaim ${claim}, which does not exist; create it`;
  const affinity = /didn't match Pod's node affinity/.test(why) ? nodeDemand(pod) : undefined;
  const scarce = [...why.matchAll(/Insufficient ([^\s,.]+(?:[./][^\s,.]+)*)/g)].map(([, resource]) => resource);
  if (devices !== undefined && scarce.includes(devices.resource)) {
    const free = devices.count === 1 ? "one" : String(devices.count);
    const those = affinity === undefined ? "nodes have" : `nodes are ${affinity} and have`;
    return `${who} wait for ${devices.count} ${devices.resource} each: ${nodes} ${those} ${free} free: ${why}`;
  }
  if (affinity !== undefined) return `${who} wait for a node that is ${affinity}: ${nodes} nodes will do: ${why}`;
  const resource = scarce[0];
  if (resource === undefined) return `${who} wait for a node: ${nodes === undefined ? "" : `${nodes} will do: `}${why}`;
  return `${who} wait for ${requested(pod, resource)} ${resource} each: ${nodes} nodes have it free: ${why}`;
};

/** What we asked of a node's labels, as the user wrote it in spec.accelerator. */
const nodeDemand = ({ spec }: Pod): string | undefined => {
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const demands = terms.flatMap(({ matchExpressions = [] }) => matchExpressions.map(inLabels));
  return demands.length > 0 ? demands.join(" and ") : undefined;
};

const inLabels = ({ key, operator, values = [] }: { key: string; operator: string; values?: string[] }): string => {
  if (operator === "Gt") return `labelled ${key} above ${values[0]} MiB`;
  return `${operator === "In" ? "" : "not "}labelled ${key}: ${values.join(" or ")}`;
};

const requested = ({ spec }: Pod, resource: string): string =>
  spec?.containers[0]?.resources?.requests?.[resource] ?? "enough";
