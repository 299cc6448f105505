/** What is written: it goes into the caches as it is answered, is remembered until they have it, and has no field that the CRD lacks. */

import { modelDeploymentCrd, modelRolloutCrd } from "./api/v1alpha1/crd.ts";
import { API_VERSION, MODEL_DEPLOYMENTS, MODEL_ROLLOUTS } from "./api/v1alpha1/index.ts";
import type { ApiServer } from "./api-server.ts";
import type { Caches } from "./platform/cache/caches.ts";
import { createConsistency, forgetGone, recordWrites } from "./platform/cache/consistency.ts";
import type { Client } from "./platform/kube/client.ts";
import type { ObjectKey } from "./platform/kube/objects.ts";
import { createReadServed } from "./platform/kube/open-api.ts";
import {
  createInstalledSchema,
  type InstalledSchema,
  type OwnKind,
  type SchemaNews,
} from "./platform/manager/installed-schema.ts";
import type { Stores } from "./stores.ts";

export type Writes = {
  /** What controllers write with. */
  writer: Client;
  /** What the caches do not hold yet of a ModelDeployment: kinds, and writes of ours. */
  behind(key: ObjectKey): string[];
  installed: InstalledSchema;
};

/** @param onNews the schemas of our kinds in the cluster have changed */
export const createWrites = (
  { client, transport }: ApiServer,
  caches: Caches,
  { modelDeployments }: Pick<Stores, "modelDeployments">,
  onNews: (news: SchemaNews) => void,
): Writes => {
  const parents = { resource: MODEL_DEPLOYMENTS, store: modelDeployments };
  const consistency = createConsistency(caches.hasSeen);
  forgetGone(parents, consistency);
  const installed = createInstalledSchema(createReadServed(transport, API_VERSION), ownKinds, onNews);
  return {
    writer: recordWrites(installed.writer(client), consistency, caches, parents),
    behind: (key) => [
      ...caches.missing(key.namespace),
      ...consistency.behind(modelDeployments.get(key)?.metadata.uid ?? ""),
    ],
    installed,
  };
};

/** As this operator knows them. */
const ownKinds = (): OwnKind[] =>
  [
    { resource: MODEL_DEPLOYMENTS, crd: modelDeploymentCrd() },
    { resource: MODEL_ROLLOUTS, crd: modelRolloutCrd() },
  ].flatMap(({ resource, crd }) =>
    crd.spec.versions.map(({ schema }) => ({ resource, schema: schema.openAPIV3Schema })),
  );
