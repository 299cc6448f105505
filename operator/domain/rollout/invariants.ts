/** What every assignment keeps, stated once: the property tests and the simulation hold all of them after each step. */
import { type Assignment, podsFor, type Situation, shortageOf } from "./assignment.ts";

/** The words of each invariant that does not hold; none where all do. */
export const brokenInvariants = (
  situation: Situation,
  { candidate, isAlone, isRouted, stable }: Assignment,
): string[] => {
  const { applied, isFollowed, isTotal, plan, replicas, spare } = situation;
  const allowed = shortageOf(situation);
  const isSteady = plan !== "swap";
  const parts = [
    ["stable", stable, applied.stable, 100 - applied.weight],
    ["candidate", candidate, applied.candidate, applied.weight],
  ] as const;
  return [
    ...broken(stable.weight + candidate.weight === 100, "the weights sum to 100"),
    ...broken(candidate.weight === 0 || isRouted, "a weight is in the table"),
    ...broken(
      isAlone || parts.every(([, { replicas: pods, weight }]) => weight === 0 || pods >= 1),
      "a revision with a weight has a pod, or requests wait for the only one in the table",
    ),
    ...broken(isAlone || stable.replicas >= 1, "stable keeps a pod as the way back"),
    // pods that the routers' present table still needs are not taken away
    ...parts.flatMap(([name, { replicas: pods }, before, weight]) =>
      broken(
        !isSteady || pods >= Math.min(before, podsFor(weight, replicas) - allowed),
        `${name} gives up no pod that its share needs`,
      ),
    ),
    ...broken(
      !isSteady || isFollowed || stable.replicas >= Math.min(applied.stable, replicas),
      "until the routers follow, stable gives up no pod",
    ),
    ...broken(
      plan !== "handover" ||
        stable.replicas + candidate.replicas <=
          Math.max(
            roomOf(isTotal, replicas, spare),
            2,
            isFollowed ? 0 : applied.stable + Math.max(1, applied.candidate),
          ),
      "a handover asks for no more pods than there is room for",
    ),
  ];
};

const roomOf = (isTotal: boolean, replicas: number, spare: number): number => (isTotal ? replicas : replicas + spare);

const broken = (holds: boolean, what: string): string[] => (holds ? [] : [what]);
