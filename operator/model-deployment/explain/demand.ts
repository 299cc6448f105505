/** What pods ask of a node's labels, and what the nodes have instead. Pure. */
import type { Pod } from "../../kube/objects.ts";
import { matches } from "../../placement/admits.ts";
import type { Room } from "../../placement/room.ts";

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
  const labels = rooms.map((room) =>
    Object.hasOwn(room.labels, expression.key) ? room.labels[expression.key] : undefined,
  );
  if (labels.length === 0 || labels.some((label) => matches(expression, label))) return "";
  const values = [...new Set(labels.flatMap((label) => label ?? []))].toSorted();
  if (values.length === 0) return " (no node has that label)";
  const more = values.length - NAMED_VALUES;
  return ` (nodes have ${values.slice(0, NAMED_VALUES).join(", ")}${more > 0 ? ` and ${more} more values` : ""})`;
};
