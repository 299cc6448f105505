import { z } from "zod";
import type { KubeObject, Resource } from "../../platform/kube/objects.ts";
import { rules } from "./fields.ts";
import { ROUTER_NAME } from "./names.ts";
import { type ModelDeploymentSpec, specSchema } from "./spec.ts";
import { type ModelDeploymentStatus, statusSchema } from "./status.ts";

export const GROUP = "berth.dev";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}`;
export const KIND = "ModelDeployment";

export type ModelDeployment = KubeObject & { spec: ModelDeploymentSpec; status?: ModelDeploymentStatus };

export const MODEL_DEPLOYMENTS: Resource<ModelDeployment> = {
  apiVersion: API_VERSION,
  kind: KIND,
  plural: "modeldeployments",
  namespaced: true,
};

/** Longest name: with `-<hash8>` and the suffixes of ReplicaSet and pod, the names of children stay DNS labels. */
const MAX_NAME_LENGTH = 46;

/** The whole object, as the CRD describes it. `metadata` is the API server's own. */
export const modelDeploymentSchema = z
  .object({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.looseObject({}),
    spec: specSchema,
    status: statusSchema.optional(),
  })
  .describe("A ModelDeployment turns an ONNX model into inference pods on the devices that it requests.")
  .meta(
    rules(
      {
        rule: `self.metadata.name.size() <= ${MAX_NAME_LENGTH}`,
        message: `metadata.name: must be at most ${MAX_NAME_LENGTH} characters, so that the names of its pods and Services fit`,
      },
      {
        rule: "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        message:
          "metadata.name: must be a DNS label (a-z, 0-9 and -, starting with a letter), because a Service has this name",
      },
      // one that was made before there was this rule has a status, which must still be written
      {
        rule: `self.metadata.name != '${ROUTER_NAME}' || has(self.status)`,
        message: `metadata.name: ${ROUTER_NAME} is the name of Berth's routers in each namespace; choose another`,
      },
    ),
  );
