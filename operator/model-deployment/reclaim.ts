/** Revisions that the caches have lost, because somebody has changed the labels that they select by. */

import { mark } from "../apply/actions.ts";
import { carryOut } from "../apply/carry-out.ts";
import type { Client } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import { CONTROLLER_REVISIONS } from "../kube/resources.ts";
import { childMeta, isOwnedBy } from "./children/owner.ts";
import type { Observed } from "./observe.ts";

/** Those that the status names and nothing is seen of. */
export const lostRevisions = ({ controllerRevisions, modelDeployment: { status } }: Observed): string[] => {
  const known = new Set(controllerRevisions.map(({ metadata }) => metadata.name));
  return [status?.stable, status?.canary].flatMap((named) =>
    named === undefined || known.has(named.revision) ? [] : [named.revision],
  );
};

/**
 * Without its ControllerRevision, what serves would count for nothing: the API server is asked before that is believed. Resolves to
 * whether one was there, and has its labels again.
 */
export const reclaimRevisions = async (client: Client, observed: Observed, signal: AbortSignal): Promise<boolean> => {
  const { owner } = observed;
  let isReclaimed = false;
  for (const name of lostRevisions(observed)) {
    const key = { namespace: owner.namespace, name };
    const existing = await client.get(CONTROLLER_REVISIONS, key, signal).catch((error: unknown) => {
      if (error instanceof KubeError && error.kind === "notFound") return undefined;
      throw error;
    });
    if (existing === undefined || !isOwnedBy(owner, existing)) continue;
    const { labels } = childMeta(owner, name, name);
    const marked = mark(CONTROLLER_REVISIONS, { name, ...(labels === undefined ? {} : { labels }) }, existing);
    await carryOut(client, marked, signal, () => undefined);
    isReclaimed = true;
  }
  return isReclaimed;
};
