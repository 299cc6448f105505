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
    model: z.string().max(63).describe("Name of the ModelDeployment."),
    from: z.string().max(63).describe("The stable revision at the start of the attempt."),
    to: z.string().max(63).describe("The new revision."),
    step: z.string().max(16).describe("Current step and number of steps, such as `2/3`."),
    weight: z.string().max(8).describe("Share of the requests that the new revision gets, such as `25%`."),
    state: z
      .enum(["Progressing", "Paused", "Promoted", "RolledBack", "Superseded"])
      .describe("State of the attempt. `Superseded`: the spec changed before the attempt was decided."),
    evidence: z
      .string()
      .max(400)
      .optional()
      .describe("What the routers counted, and what that proves, or what is missing for a proof."),
    verdict: z.string().max(400).optional().describe("How the attempt ended, or what a command did."),
    memory: z
      .string()
      .max(131_072)
      .optional()
      .describe("Internal state of the analysis, with which the next leader of the operator continues."),
    startedAt: z.string().max(40).meta({ format: "date-time" }).describe("When the attempt began."),
    endedAt: z.string().max(40).meta({ format: "date-time" }).optional().describe("When the attempt ended."),
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
    "A ModelRollout records one attempt to move a ModelDeployment to a new revision. Berth writes it and keeps the last ten of each " +
      "ModelDeployment. The annotation `berth.dev/action` gives a command to the rollout: `promote`, `abort`, `pause` or `resume` " +
      "while it runs, and `retry` after it was rolled back. Berth removes the annotation when the command is done.",
  );

export type RolloutRecord = z.output<typeof recordSchema>;
export type ModelRollout = KubeObject & { status?: RolloutRecord };

export const MODEL_ROLLOUTS: Resource<ModelRollout> = {
  apiVersion: API_VERSION,
  kind: ROLLOUT_KIND,
  plural: "modelrollouts",
  namespaced: true,
};
