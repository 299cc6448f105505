/** Carries a plan out. No action of one plan builds on another, but those on one object keep their order. */
import type { Client } from "../platform/kube/client.ts";
import type { KubeObject } from "../platform/kube/objects.ts";
import { type Action, nameOf } from "./actions.ts";
import { carryOut } from "./carry-out.ts";
import { gathered, type Obstacle, type Outcome, refusalIn } from "./obstacle.ts";

/** A plan has some twenty; who owns thousands of objects that are in excess gets no more of everybody's requests for it. */
const MOST_ACTIONS = 100;

/**
 * Tries every action, whatever the others did: one slow or failing webhook holds up only its own object. Of very many
 * the first are tried, and the others by the passes that the changes of these bring.
 * @param taken what an object is that has the name of one that we create; undefined: ours
 */
export const execute = async (
  client: Client,
  actions: readonly Action[],
  taken: (existing: KubeObject) => Obstacle | undefined,
  signal: AbortSignal,
): Promise<Outcome> => {
  const inTurn = async (ofOneObject: readonly Action[]) => {
    const results: Attempt[] = [];
    for (const action of ofOneObject) results.push(await attempt(client, action, taken, signal));
    return results;
  };
  const attempts = await Promise.all([...Map.groupBy(actions.slice(0, MOST_ACTIONS), nameOf).values()].map(inTurn));
  const results = attempts.flat();
  return {
    obstacles: gathered(results.flatMap(({ obstacle }) => obstacle ?? [])),
    error: results.find(({ error }) => error !== undefined)?.error,
    done: results.flatMap(({ action, error, obstacle }) => ((error ?? obstacle) === undefined ? [action] : [])),
    refused: results.flatMap(({ action, obstacle }) => (isRefusal(obstacle) ? [{ action, obstacle }] : [])),
  };
};

/** What is somebody else's, or on its way out, is looked at again as ever. */
const isRefusal = (obstacle: Obstacle | undefined): obstacle is Obstacle =>
  obstacle?.kind === "refused" || obstacle?.kind === "unanswered";

type Attempt = { action: Action; obstacle?: Obstacle | undefined; error?: unknown };

const attempt = async (
  client: Client,
  action: Action,
  taken: (existing: KubeObject) => Obstacle | undefined,
  signal: AbortSignal,
): Promise<Attempt> => {
  try {
    return { action, obstacle: await carryOut(client, action, signal, taken) };
  } catch (error) {
    const obstacle = refusalIn(error);
    return obstacle === undefined ? { action, error } : { action, obstacle };
  }
};
