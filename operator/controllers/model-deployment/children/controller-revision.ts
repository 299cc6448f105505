import { PROMOTED_ANNOTATION, REJECTED_ANNOTATION } from "../../../api/v1alpha1/index.ts";
import type { ControllerRevision, KubeObject } from "../../../platform/kube/objects.ts";
import { inKeyOrder, type Revision, sortedJson } from "../revision.ts";
import { childMeta, type Owner } from "./owner.ts";

/**
 * A revision as it is stored. Its `data` can never change again: the API server sees to that, and it compares
 * bytes. Every later write passes through its own encoder, which sorts keys, so they are sorted from the start.
 */
export const controllerRevision = (owner: Owner, revision: Revision): ControllerRevision => ({
  ...revisionMarks(owner, revision),
  revision: revision.number,
  data: inKeyOrder({ spec: revision.spec, template: revision.template }),
});

/** What may change on a stored revision: all but its `data`, which is left out so that it is not touched. */
export const revisionMarks = (owner: Owner, revision: Revision): KubeObject => {
  const { promoted, rejected } = revision;
  const annotations = {
    ...(promoted === undefined ? {} : { [PROMOTED_ANNOTATION]: String(promoted) }),
    ...(rejected === undefined ? {} : { [REJECTED_ANNOTATION]: sortedJson(rejected) }),
  };
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      ...childMeta(owner, revision.name, revision.name),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
  };
};
