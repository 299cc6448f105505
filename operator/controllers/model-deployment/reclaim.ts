/** Revisions that the caches have lost, because somebody has changed the labels that they select by. */

import { DNS_LABEL } from "../../api/v1alpha1/index.ts";
import { mark } from "../../apply/actions.ts";
import { carryOut } from "../../apply/carry-out.ts";
import type { Client } from "../../platform/kube/client.ts";
import { KubeError } from "../../platform/kube/errors.ts";
import type { ControllerRevision, ObjectKey } from "../../platform/kube/objects.ts";
import { CONTROLLER_REVISIONS } from "../../platform/kube/resources.ts";
import { childMeta, isOwnedBy } from "./children/owner.ts";
import { named } from "./findings.ts";
import type { Observed } from "./observed.ts";

/** Those that the status names and nothing is seen of. */
const lostRevisions = ({ controllerRevisions, modelDeployment: { status } }: Observed): string[] => {
  const known = new Set(controllerRevisions.map(({ metadata }) => metadata.name));
  // anybody may have written a name there that none of ours has
  return [status?.stable, status?.canary].flatMap((named) =>
    named === undefined || known.has(named.revision) || !DNS_LABEL.test(named.revision) ? [] : [named.revision],
  );
};

/** One that goes on by its Deployment is asked for so often: it may be without a record for as long as it serves. */
const ASK_AGAIN_MS = 60_000;

export type Reclaim = {
  /**
   * Without its ControllerRevision and its Deployment, what serves would count for nothing: the API server is asked before that is believed.
   * Resolves to whether one was there, and has its labels again.
   */
  look(observed: Observed, now: number, signal: AbortSignal): Promise<boolean>;
  forget(key: ObjectKey): void;
};

export const createReclaim = (client: Client): Reclaim => {
  /** By ModelDeployment and revision, when it was last asked for. */
  const asked = new Map<string, Map<string, number>>();

  const ask = async (
    observed: Observed,
    name: string,
    signal: AbortSignal,
  ): Promise<ControllerRevision | undefined> => {
    const key = { namespace: observed.owner.namespace, name };
    return await client.get(CONTROLLER_REVISIONS, key, signal).catch((error: unknown) => {
      const isMissing = error instanceof KubeError && error.kind === "notFound";
      // whoever goes on by its Deployment loses nothing by the next time
      if (isMissing || named(observed.deployments, name) !== undefined) return undefined;
      throw error;
    });
  };

  return {
    async look(observed, now, signal) {
      const { deployments, owner } = observed;
      const before = asked.get(keyed(owner));
      const lost = lostRevisions(observed);
      if (lost.length === 0) asked.delete(keyed(owner));
      let isReclaimed = false;
      for (const name of lost) {
        if (named(deployments, name) !== undefined && now - (before?.get(name) ?? 0) < ASK_AGAIN_MS) continue;
        asked.set(keyed(owner), new Map(asked.get(keyed(owner))).set(name, now));
        const existing = await ask(observed, name, signal);
        if (existing === undefined || !isOwnedBy(owner, existing)) continue;
        const { labels } = childMeta(owner, name, name);
        const marked = mark(CONTROLLER_REVISIONS, { name, ...(labels === undefined ? {} : { labels }) }, existing);
        await carryOut(client, marked, signal, () => undefined);
        isReclaimed = true;
      }
      return isReclaimed;
    },
    forget: (key) => void asked.delete(keyed(key)),
  };
};

const keyed = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`;
