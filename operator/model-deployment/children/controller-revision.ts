import { PROMOTED_ANNOTATION, RETIRED_ANNOTATION } from "../../api/v1alpha1/index.ts";
import type { ControllerRevision } from "../../kube/objects.ts";
import type { Revision } from "../revision.ts";
import { childMeta, type Owner } from "./owner.ts";

/** A revision as it is stored. Its `data` can never change again: the API server sees to that. */
export const controllerRevision = (owner: Owner, revision: Revision): ControllerRevision => {
  const annotations = {
    ...(revision.promoted === undefined ? {} : { [PROMOTED_ANNOTATION]: String(revision.promoted) }),
    ...(revision.retiredAt === undefined ? {} : { [RETIRED_ANNOTATION]: new Date(revision.retiredAt).toISOString() }),
  };
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      ...childMeta(owner, revision.name, revision.name),
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    },
    revision: revision.number,
    data: { spec: revision.spec, template: revision.template },
  };
};
