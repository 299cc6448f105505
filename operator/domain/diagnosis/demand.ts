/** What pods ask of a node's labels, and what the nodes have instead. Pure. */
import type { Pod } from "../../platform/kube/objects.ts";
import { matches } from "../placement/admits.ts";
import type { Room } from "../placement/room.ts";

type Expression = Parameters<typeof matches>[0];

/** So many values are named. */
const NAMED_VALUES = 3;

/** As the user wrote it in spec.accelerator and spec.scheduling.nodeSelector; what no node has comes with what they have. */
export const nodeDemand = ({ spec }: Pod, rooms: readonly Room[]): string | undefined => {
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const selected = Object.entries(spec?.nodeSelector ?? {}).map(
    ([key, value]): Expression => ({ key, operator: "In", values: [value] }),
  );
  const demands = [...selected, ...terms.flatMap(({ matchExpressions = [] }) => matchExpressions)].map(
    (one) => `${inLabels(one)}${instead(one, rooms)}`,
  );
  return demands.length > 0 ? demands.join(" and ") : undefined;
};

const inLabels = ({ key, operator, values = [] }: Expression): string => {
  if (operator === "Gt") return `labelled ${key} above ${values[0]} MiB`;
  const value = values.join(" or ");
  return `${operator === "In" ? "" : "not "}labelled ${value === "" ? key : `${key}: ${value}`}`;
};

/** Reads like ` (nodes have 15360, 23034)`, where none of them will do for this. */
const instead = (expression: Expression, rooms: readonly Room[]): string => {
  const labels = valuesOf(rooms, expression.key);
  if (labels.length === 0 || labels.some((label) => matches(expression, label))) return "";
  const values = labels.flatMap((label) => label ?? []).toSorted();
  if (values.length === 0) return " (no node has that label)";
  const more = values.length - NAMED_VALUES;
  return ` (nodes have ${values.slice(0, NAMED_VALUES).join(", ")}${more > 0 ? ` and ${more} more values` : ""})`;
};

const known = new WeakMap<readonly Room[], Map<string, readonly (string | undefined)[]>>();

/**
 * The values that a label has on the nodes, each once; undefined among them: some node does not have it. There may be thousands of nodes,
 * and all that wait are explained by the same survey: it is gone through once for each label.
 */
const valuesOf = (rooms: readonly Room[], key: string): readonly (string | undefined)[] => {
  const keys = known.get(rooms) ?? new Map<string, readonly (string | undefined)[]>();
  known.set(rooms, keys);
  let values = keys.get(key);
  if (values === undefined) {
    values = [...new Set(rooms.map(({ labels }) => (Object.hasOwn(labels, key) ? labels[key] : undefined)))];
    keys.set(key, values);
  }
  return values;
};
