/** What a pair of answers counts as. Pure. */
import { compare, type Tolerance } from "./compare.ts";
import type { Read } from "./read-answer.ts";

export type Judgement =
  | { kind: "agrees" }
  /**
   * `outputs`: those that differ, where they are the same tensors; `reason`: what people must be told; `isLost`: stable's has numbers
   * where the other has none, or cannot be read at all.
   */
  | { kind: "disagrees"; outputs: readonly string[]; reason: string | undefined; isLost: boolean }
  /** No evidence: stable's own answer cannot be read, or a tolerance does not fit it. */
  | { kind: "incomparable"; reason: string };

/** An answer that cannot be read beside one of stable that can is another answer, whatever is in it. */
export const judge = (stable: Read, other: Read, tolerances: ReadonlyMap<string, Tolerance>): Judgement => {
  if ("unreadable" in stable)
    return { kind: "incomparable", reason: `stable's answer cannot be compared: ${stable.unreadable}` };
  if ("unreadable" in other)
    return {
      kind: "disagrees",
      outputs: [],
      isLost: true,
      reason: `the canary's answer cannot be read where stable's can: ${other.unreadable}`,
    };
  const compared = compare(stable.outputs, other.outputs, tolerances);
  if (compared.kind === "incomparable") return compared;
  if (compared.kind === "different") return { kind: "disagrees", outputs: [], reason: compared.reason, isLost: false };
  if (compared.agrees) return { kind: "agrees" };
  const outputs = compared.outputs.filter(({ agrees }) => !agrees).map(({ place }) => place);
  const { lost } = compared;
  const reason =
    lost === undefined ? undefined : `output "${lost}" has numbers of stable where the canary has NaN or infinity`;
  return { kind: "disagrees", outputs, reason, isLost: lost !== undefined };
};
