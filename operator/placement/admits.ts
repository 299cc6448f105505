/** Whether a node would take a pod, whatever it has left. Pure. */
import type { PodSpec } from "./request.ts";
import type { Room, Taint } from "./room.ts";

type Toleration = NonNullable<PodSpec["tolerations"]>[number];
type Affinity = NonNullable<NonNullable<PodSpec["affinity"]>["nodeAffinity"]>;
type Term = NonNullable<Affinity["requiredDuringSchedulingIgnoredDuringExecution"]>["nodeSelectorTerms"][number];
type Expression = NonNullable<Term["matchExpressions"]>[number];

/** By its taints, its labels and its name; what pods want of each other (anti-affinity, spread) is not looked at. */
export const admits = (room: Room, spec: PodSpec): boolean =>
  room.taints.every((taint) => isTolerated(taint, spec.tolerations ?? [])) &&
  Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => room.labels[key] === value) &&
  isWanted(room, spec.affinity?.nodeAffinity);

const isTolerated = (taint: Taint, tolerations: readonly Toleration[]): boolean =>
  taint.effect === "PreferNoSchedule" || tolerations.some((toleration) => tolerates(toleration, taint));

/** Without a key, `Exists` tolerates every taint; without an effect, all of them. */
const tolerates = ({ effect, key, operator, value = "" }: Toleration, taint: Taint): boolean =>
  (!effect || effect === taint.effect) &&
  (!key || key === taint.key) &&
  (operator === "Exists" || value === (taint.value ?? ""));

/** One term is enough; of a term all must hold, and an empty one takes no node. */
const isWanted = (room: Room, affinity: Affinity | undefined): boolean => {
  const terms = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => holds(room, term));
};

const holds = ({ labels, node }: Room, { matchExpressions = [], matchFields = [] }: Term): boolean =>
  matchExpressions.length + matchFields.length > 0 &&
  matchExpressions.every((one) => matches(one, labels[one.key])) &&
  matchFields.every((one) => one.key === "metadata.name" && matches(one, node));

const matches = ({ operator, values = [] }: Expression, found: string | undefined): boolean => {
  switch (operator) {
    case "In":
      return found !== undefined && values.includes(found);
    case "NotIn":
      return found === undefined || !values.includes(found);
    case "Exists":
      return found !== undefined;
    case "DoesNotExist":
      return found === undefined;
    case "Gt":
      return isWhole(found) && Number(found) > Number(values[0]);
    case "Lt":
      return isWhole(found) && Number(found) < Number(values[0]);
    default:
      return false;
  }
};

const isWhole = (text: string | undefined): boolean => /^-?\d+$/.test(text ?? "");
