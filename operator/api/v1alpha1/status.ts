/** `status` of a ModelDeployment. Only the operator writes it, and only when something in it changes. */
import { z } from "zod";

const conditionSchema = z.object({
  type: z
    .string()
    .min(1)
    .max(64)
    .describe(
      "Type of the condition: `Ready`, `Reconciling`, `Stalled`, `Available`, `ModelLoaded`, `CapacityAvailable`, `SignalsAvailable`, " +
        "`BatchingEnded` or `RevisionUnrecorded`.",
    ),
  status: z.enum(["True", "False", "Unknown"]).describe("Status of the condition."),
  reason: z.string().min(1).max(128).describe("Reason of the status, one of those in docs/troubleshooting.md."),
  message: z.string().max(1024).describe("What happened, and what to do."),
  lastTransitionTime: z.string().max(40).meta({ format: "date-time" }).describe("When `status` last changed."),
  observedGeneration: z.int().describe("`metadata.generation` that the condition describes."),
});

const revisionSchema = z.object({
  revision: z.string().max(63).describe("Name of the revision, its ControllerRevision and its Deployment."),
  modelDigest: z
    .string()
    .max(80)
    .optional()
    .describe("Digest of the model that the revision is pinned to, as `sha256:<hex>`."),
  executionProvider: z.string().max(32).describe("Execution provider that the revision requests."),
  replicas: z.int32().describe("Number of pods wanted."),
  ready: z.int32().describe("Number of pods ready."),
});

const trafficSchema = z
  .object({
    epoch: z
      .int()
      .describe(
        "Version of the table; routers apply the table with the highest epoch. It is at least the Unix time, in seconds, at which the " +
          "table was made.",
      ),
    port: z.int32().min(1).max(65_535).describe("Port on which the routers listen for this ModelDeployment."),
    routes: z
      .array(
        z.object({
          revision: z.string().max(63).describe("Name of the revision."),
          role: z.enum(["stable", "canary"]).describe("Role of the revision."),
          weight: z.int32().min(0).max(100).describe("Share of the requests, in percent."),
          shadow: z
            .int32()
            .min(1)
            .max(100)
            .optional()
            .describe("Share of the stable revision's requests that this revision gets copies of, in percent."),
        }),
      )
      .max(2)
      .describe("Share of the requests that each revision gets.")
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["role"] }),
  })
  .describe("The routing table that the routers apply. Absent while requests reach the pods directly.");

const rolloutStatusSchema = z
  .object({
    name: z.string().max(80).optional().describe("Name of the ModelRollout that records the rollout."),
    revision: z.string().max(63).optional().describe("Revision that is rolled out. Absent while there is none."),
    strategy: z.enum(["canary", "shadow", "blueGreen"]).optional().describe("Strategy of the rollout."),
    phase: z
      .enum(["preparing", "shifting", "observing", "paused", "finishing", "retreating"])
      .optional()
      .describe(
        "`preparing`: the pods for the step start. `shifting`: the routers adopt the weight of the step. `observing`: the new revision " +
          "is compared with the stable one. `paused`: the rollout is paused. `finishing`: the last pods start. `retreating`: the new " +
          "revision returns its share to the stable one.",
      ),
    step: z.int32().min(0).max(20).optional().describe("Index of the current step, from 0."),
    steps: z
      .array(
        z.object({
          weight: z.int32().min(0).max(100).describe("Share of the requests, in percent."),
          pause: z.boolean().optional().describe("The rollout pauses after this step until the command `resume`."),
        }),
      )
      .max(20)
      .optional()
      .describe("Steps of the rollout, in order.")
      .meta({ "x-kubernetes-list-type": "atomic" }),
    proof: z
      .enum(["evidence", "health", "time", "command", "rescue"])
      .optional()
      .describe(
        "What completed the steps. `evidence`: the analysis. `health`: healthy pods. `time`: `onInconclusive: advance`. `command`: the " +
          "command `promote`. `rescue`: the stable revision answered no request, and the new one did.",
      ),
    capacity: z
      .object({
        plan: z.enum(["surge", "handover", "swap"]).describe("The plan, as in `spec.rollout.capacity`."),
        why: z.string().max(400).describe("Why Berth chose the plan."),
        spare: z.int32().min(0).describe("Number of the new revision's pods that fit beside the stable revision's."),
        stable: z.int32().min(0).describe("Number of pods wanted of the stable revision during the rollout."),
        canary: z.int32().min(0).describe("Number of pods wanted of the new revision during the rollout."),
        since: z.string().max(40).meta({ format: "date-time" }).describe("When these numbers last changed."),
        placed: z
          .int32()
          .min(0)
          .optional()
          .describe("With `handover`: the highest number of pods of both revisions that had a node at the same time."),
        fullSince: z
          .string()
          .max(40)
          .meta({ format: "date-time" })
          .optional()
          .describe(
            "With `handover`: since when the load needs more pods than `placed`, and no node has room for them. Berth tries again every five " +
              "minutes.",
          ),
        readyWithinMs: z
          .int32()
          .min(0)
          .optional()
          .describe(
            "With `swap`: how many milliseconds the new pods have to become ready, before the stable revision's pods come back.",
          ),
        retryAt: z
          .string()
          .max(40)
          .meta({ format: "date-time" })
          .optional()
          .describe("With `swap`, if its pods found no room in time: when Berth tries again."),
      })
      .optional()
      .describe("Where the new revision's pods find room."),
    pausedBy: z
      .enum(["spec", "command", "step"])
      .optional()
      .describe("What paused the rollout: `spec.rollout.paused`, the command `pause`, or `pause` of a step."),
    since: z
      .string()
      .max(40)
      .meta({ format: "date-time" })
      .optional()
      .describe("When the current observation or pause began."),
    evidence: z
      .string()
      .max(400)
      .optional()
      .describe("What the routers counted, and what that proves, or what is missing for a proof."),
    rejected: z
      .array(
        z.object({
          revision: z.string().max(63).describe("Name of the revision."),
          analysis: z
            .string()
            .max(128)
            .describe(
              "Settings of the analysis that rejected the revision. With other settings Berth may try it again.",
            ),
          message: z.string().max(512).describe("Why the revision was rejected."),
        }),
      )
      .max(10)
      .optional()
      .describe("Rejected revisions. A revision stays rejected when the spec changes and later returns to it."),
    retried: z
      .array(z.string().max(80))
      .max(10)
      .optional()
      .describe("ModelRollouts whose command `retry` Berth follows, until it has removed the annotation."),
  })
  .describe("State of a rollout with strategy `canary`, `shadow` or `blueGreen`, and the rejected revisions.");

const millis = z.int().min(0).max(86_400_000);
const micros = z.int32().min(0);

const scaleSchema = z
  .object({
    replicas: z.int32().min(0).describe("Number of pods of all revisions."),
    selector: z.string().max(256).describe("Label selector of the pods, for an HPA."),
    wanted: z
      .int32()
      .min(0)
      .optional()
      .describe("Number of pods that the stable revision should have, by the load and the bounds."),
    why: z
      .enum([
        "floor",
        "ceiling",
        "load",
        "trend",
        "backlog",
        "recurring",
        "recent",
        "starting",
        "idle",
        "devices",
        "blind",
      ])
      .optional()
      .describe(
        "What determines `wanted`. `floor`: `minReplicas` or a schedule. `ceiling`: `maxReplicas`. `load`: the request rate, by Little's " +
          "law. `trend`: the expected request rate when a new pod would be ready. `backlog`: waiting requests. `recurring`: a burst that " +
          "recurs at regular intervals and is due. `recent`: the highest load within the last start time of a pod (at least 15 seconds). " +
          "`starting`: pods that are starting are kept. `idle`: the last pod stays until `idleBeforeZero` has passed, or has gone. " +
          "`devices`: no more devices are free. `blind`: a router does not report its counts, so Berth removes no pod.",
      ),
    message: z
      .string()
      .max(256)
      .optional()
      .describe("The figures behind the decision, or why the number does not change."),
    external: z
      .object({
        replicas: z.int32().min(0).max(1000).describe("Number of pods of both revisions together."),
        from: z
          .enum(["spec", "pods"])
          .describe(
            "`spec`: `spec.replicas` sets the number. `pods`: the number stays at the existing pods, because nobody has set `spec.replicas`, " +
              "or because a new HPA may not remove pods before `until`.",
          ),
        until: z
          .string()
          .max(40)
          .meta({ format: "date-time" })
          .optional()
          .describe("Until this time a new HPA only adds pods."),
      })
      .optional()
      .describe("With `scaling.mode: external`: the number of pods wanted, and what sets it."),
    ignored: z
      .int32()
      .min(0)
      .max(1000)
      .optional()
      .describe(
        "Value of `spec.replicas` that has no effect, because `scaling.mode` is `internal`, or was when it was set.",
      ),
    learnt: z
      .object({
        startMs: millis.describe(
          "Start time of a pod in milliseconds, from its assignment to a node until it is ready: the 90th percentile.",
        ),
        phases: z
          .object({
            scheduleMs: millis.optional().describe("Until the pod had a node."),
            pullMs: millis.optional().describe("From then until its first container ran: volumes and image pull."),
            fetchMs: millis.optional().describe("Fetch of the model."),
            loadMs: millis.optional().describe("Start of the server, load of the model and first inference."),
          })
          .optional()
          .describe("Phases of the last start in milliseconds, from the pod's status, which has whole seconds."),
        run: z
          .object({
            eachUs: micros.describe("Fixed time of a run, in microseconds."),
            perItemUs: micros.describe("Additional time of each item in a run, in microseconds."),
            maxBatch: z.int().min(1).max(1024).describe("Maximum number of items in a run."),
            parallel: z.int().min(1).max(1024).describe("Number of concurrent runs in one pod."),
          })
          .optional()
          .describe("Throughput of a pod, as its server has measured it."),
      })
      .optional()
      .describe("What Berth has measured of the pods. It is kept while there are none."),
  })
  .describe("The number of pods, and what determines it.");

export const statusSchema = z
  .object({
    observedGeneration: z
      .int()
      .describe("`metadata.generation` that this status describes; -1 before the operator has seen the object."),
    phase: z
      .enum(["Progressing", "Healthy", "Degraded"])
      .optional()
      .describe("Summary for people and for Argo CD. Programs should read the conditions."),
    message: z.string().max(1024).optional().describe("The first failing cause, or what serves, in one line."),
    url: z.string().max(512).optional().describe("URL at which clients inside the cluster reach the model."),
    operator: z
      .string()
      .max(127)
      .optional()
      .describe(
        "The operator that manages the object, as `namespace/lease`. Other releases of Berth do not touch the object while that operator " +
          "runs.",
      ),
    devices: z
      .string()
      .max(320)
      .optional()
      .describe(
        "Devices that the pods hold, such as `2 nvidia.com/gpu`; held and wanted if they differ, such as `8/12 nvidia.com/gpu`.",
      ),
    pods: z.string().max(24).optional().describe("Ready and wanted pods, such as `2/2`."),
    conditions: z
      .array(conditionSchema)
      .max(16)
      .optional()
      .describe(
        "Conditions. `Ready` is always present; `Reconciling`, `Stalled`, `BatchingEnded` and `RevisionUnrecorded` only while they are " +
          "True.",
      )
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] }),
    traffic: trafficSchema.optional(),
    rollout: rolloutStatusSchema.optional(),
    scale: scaleSchema.optional(),
    stable: revisionSchema
      .optional()
      .describe("The stable revision, which was promoted last and serves. Absent until a revision has become ready."),
    canary: revisionSchema.optional().describe("The revision that is to take over, until it is promoted or rejected."),
  })
  .describe("The observed state. Only Berth writes it.");

export type Condition = z.output<typeof conditionSchema>;
export type RolloutStatus = z.output<typeof rolloutStatusSchema>;
export type ScaleStatus = z.output<typeof scaleSchema>;
export type Traffic = z.output<typeof trafficSchema>;
export type RevisionStatus = z.output<typeof revisionSchema>;
export type ModelDeploymentStatus = z.output<typeof statusSchema>;
