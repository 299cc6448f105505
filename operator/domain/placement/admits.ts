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
  Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labelOf(room, key) === value) &&
  isWanted(room, spec.affinity?.nodeAffinity);

const isTolerated = (taint: Taint, tolerations: readonly Toleration[]): boolean =>
  taint.effect === "PreferNoSchedule" || tolerations.some((toleration) => tolerates(toleration, taint));

/** Without a key, `Exists` tolerates every taint; without an effect, all of them. */
const tolerates = ({ effect, key, operator, value = "" }: Toleration, taint: Taint): boolean =>
  (!effect || effect === taint.effect) &&
  (!key || key === taint.key) &&
  compares(operator || "Equal", value, taint.value ?? "");

/** `Lt` and `Gt` say which values of a taint are put up with; an API server takes them only if its scheduler knows them. */
const compares = (operator: string, tolerated: string, found: string): boolean => {
  switch (operator) {
    case "Exists":
      return true;
    case "Equal":
      return tolerated === found;
    case "Lt":
      return isBelow(found, tolerated);
    case "Gt":
      return isBelow(tolerated, found);
    default:
      return false;
  }
};

/** One term is enough; of a term all must hold, and an empty one takes no node. */
const isWanted = (room: Room, affinity: Affinity | undefined): boolean => {
  const terms = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => holds(room, term));
};

const holds = (room: Room, { matchExpressions = [], matchFields = [] }: Term): boolean =>
  matchExpressions.length + matchFields.length > 0 &&
  matchExpressions.every((one) => matches(one, labelOf(room, one.key))) &&
  matchFields.every((one) => one.key === "metadata.name" && matches(one, room.node));

/** A label may be called like what every object has, such as `constructor`. */
const labelOf = ({ labels }: Room, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

/** Whether a label (undefined: not there) is as the expression wants it. */
export const matches = ({ operator, values = [] }: Expression, found: string | undefined): boolean => {
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
      return isBelow(values[0], found);
    case "Lt":
      return isBelow(found, values[0]);
    default:
      return false;
  }
};

/** Both are whole numbers of 64 bits. */
const isBelow = (one: string | undefined, other: string | undefined): boolean => {
  const [low, high] = [wholeOf(one), wholeOf(other)];
  return low !== undefined && high !== undefined && low < high;
};

const wholeOf = (text = ""): bigint | undefined => {
  const value = /^[-+]?[0-9]{1,400}$/.test(text) ? BigInt(text) : undefined;
  return value === undefined || BigInt.asIntN(64, value) !== value ? undefined : value;
};
