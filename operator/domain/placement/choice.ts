/** Which nodes a pod wants, and nothing else of it: of pods that wait, as many are kept as there may be. Pure. */
import type { PodSpec } from "./request.ts";

/** As much of a pod as `admits` looks at. */
export const choiceOf = ({ affinity, nodeSelector, tolerations }: PodSpec): PodSpec => {
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return {
    containers: [],
    ...(required === undefined
      ? {}
      : { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } } }),
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    ...(tolerations === undefined ? {} : { tolerations }),
  };
};

/** How many things are compared, at most, to see whether one node with one taint will do. */
export const partsOf = ({ affinity, nodeSelector, tolerations = [] }: PodSpec): number => {
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const wanted = terms.flatMap(({ matchExpressions = [], matchFields = [] }) => [...matchExpressions, ...matchFields]);
  const values = wanted.reduce((sum, { values = [] }) => sum + values.length, 0);
  return tolerations.length + Object.keys(nodeSelector ?? {}).length + terms.length + wanted.length + values;
};
