/** ModelRollout: the record of one attempt to move to a new revision. Only the operator writes it; people command it by an annotation. */
import { z } from "zod";
import type { KubeObject, Resource } from "../../platform/kube/objects.ts";
import { API_VERSION } from "./model-deployment.ts";

export const ROLLOUT_KIND = "ModelRollout";

/** On a ModelRollout: what its rollout is to do. It is taken off when it is done. */
export const ACTION_ANNOTATION = "berth.dev/action";
export const ACTIONS = ["promote", "abort", "pause", "resume", "retry"] as const;

export const recordSchema = z
  .object({
    model: z.string().max(63).describe("The ModelDeployment."),
    from: z.string().max(63).describe("The revision that served."),
    to: z.string().max(63).describe("The revision that was to take over."),
    step: z.string().max(16).describe("Such as `2/3`."),
    weight: z.string().max(8).describe("What the new revision gets, such as `25%`."),
    state: z
      .enum(["Progressing", "Paused", "Promoted", "RolledBack", "Superseded"])
      .describe("Superseded: the spec was changed before it was decided."),
    evidence: z.string().max(400).optional().describe("What was counted, and what it proves or what is missing."),
    verdict: z.string().max(400).optional().describe("How it ended, or what a command did."),
    memory: z
      .string()
      .max(131_072)
      .optional()
      .describe("The evidence, for the next leader of the operator; not for people."),
    startedAt: z.string().max(40).meta({ format: "date-time" }),
    endedAt: z.string().max(40).meta({ format: "date-time" }).optional(),
  })
  .describe("The state of the attempt.");

export const modelRolloutSchema = z
  .object({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.looseObject({}),
    status: recordSchema.optional(),
  })
  .describe(
    "A ModelRollout records one attempt to move a ModelDeployment to a new revision. Berth writes it, keeps the last ten, and does what the " +
      "annotation `berth.dev/action` on it says: promote, abort, pause, resume; or retry, once it was rolled back.",
  );

export type RolloutRecord = z.output<typeof recordSchema>;
export type ModelRollout = KubeObject & { status?: RolloutRecord };

export const MODEL_ROLLOUTS: Resource<ModelRollout> = {
  apiVersion: API_VERSION,
  kind: ROLLOUT_KIND,
  plural: "modelrollouts",
  namespaced: true,
};
