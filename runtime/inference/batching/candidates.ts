import { findingFor, type GraphFindings } from "../graph/findings.ts";
import type { Model } from "../index.ts";
import { batchCandidates, type Candidate } from "./axis.ts";

/**
 * The ways to batch that runs are to prove: those of which the graph shows that rows stay apart, with the axes along which it
 * has them in the outputs. Else why there is none, and whether it is the graph that says so.
 * @param graph undefined: nothing is known of it, and runs alone decide
 */
export const provable = (
  { inputs, outputs }: Model,
  graph: GraphFindings | undefined,
): { candidates: readonly Candidate[] } | { reason: string; byGraph: boolean } => {
  const found = batchCandidates(inputs, outputs);
  if ("reason" in found) return { reason: found.reason, byGraph: false };
  if (graph === undefined) return found;
  const names = inputs.map(({ name }) => name);
  let reason: string | undefined;
  const candidates = found.candidates.flatMap((candidate): Candidate[] => {
    const finding = findingFor(graph, names, candidate.inputs);
    const axes = outputs.flatMap(({ name }) => finding?.outputs?.[name] ?? []);
    if (axes.length === outputs.length) return [{ ...candidate, outputs: axes.map((axis) => [axis]) }];
    const why = finding?.reason ?? graph.reason ?? "its graph was not followed that far";
    reason ??= `along "${candidate.name}", ${why}`;
    return [];
  });
  return candidates.length > 0 ? { candidates } : { reason: reason ?? "it has no batch dimension", byGraph: true };
};
