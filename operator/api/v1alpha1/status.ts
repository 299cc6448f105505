/** `status` of a ModelDeployment. Only the operator writes it, and only when something in it changes. */
import { z } from "zod";

const conditionSchema = z.object({
  type: z
    .string()
    .min(1)
    .max(64)
    .describe(
      "Ready, Reconciling, Stalled, Available, ModelLoaded, CapacityAvailable, SignalsAvailable, BatchingEnded or RevisionUnrecorded.",
    ),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string().min(1).max(128).describe("One of the reasons in docs/troubleshooting.md."),
  message: z.string().max(1024).describe("What happened, and what to do."),
  lastTransitionTime: z.string().max(40).meta({ format: "date-time" }).describe("When `status` last changed."),
  observedGeneration: z.int().describe("The generation of the spec that this condition is about."),
});

const revisionSchema = z.object({
  revision: z.string().max(63).describe("Name of the revision, its ControllerRevision and its Deployment."),
  modelDigest: z.string().max(80).optional().describe("`sha256:<hex>` of the bytes that the revision is pinned to."),
  executionProvider: z.string().max(32).describe("The execution provider that the revision asks for."),
  replicas: z.int32().describe("Pods wanted."),
  ready: z.int32().describe("Pods ready."),
});

const trafficSchema = z
  .object({
    epoch: z
      .int()
      .describe(
        "Grows with each table; routers follow the one with the greatest. Seconds since 1970 when it was made, or more.",
      ),
    port: z.int32().min(1).max(65_535).describe("Where the routers listen for this ModelDeployment."),
    routes: z
      .array(
        z.object({
          revision: z.string().max(63),
          role: z.enum(["stable", "canary"]),
          weight: z.int32().min(0).max(100).describe("Percent of the requests."),
          shadow: z
            .int32()
            .min(1)
            .max(100)
            .optional()
            .describe("Percent of stable's requests, of which this revision gets a copy."),
        }),
      )
      .max(2)
      .describe("Which revision gets which share.")
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["role"] }),
  })
  .describe("The routing table that routers follow; absent while requests reach the pods directly.");

const rolloutStatusSchema = z
  .object({
    name: z.string().max(80).optional().describe("Its ModelRollout."),
    revision: z
      .string()
      .max(63)
      .optional()
      .describe("The revision that is being rolled out; absent while there is none."),
    strategy: z.enum(["canary", "shadow", "blueGreen"]).optional(),
    phase: z
      .enum(["preparing", "shifting", "observing", "paused", "finishing", "retreating"])
      .optional()
      .describe(
        "Its pods are made ready for the step; the routers take the step's weight over; it is compared with stable; it waits; its last pods are made ready; " +
          "it gives its share back to stable.",
      ),
    step: z.int32().min(0).max(20).optional().describe("From 0."),
    steps: z
      .array(
        z.object({
          weight: z.int32().min(0).max(100).describe("In percent."),
          pause: z.boolean().optional().describe("The rollout waits after it for the command `resume`."),
        }),
      )
      .max(20)
      .optional()
      .describe("What the new revision gets, one after the other.")
      .meta({ "x-kubernetes-list-type": "atomic" }),
    proof: z.enum(["evidence", "health", "time", "command", "rescue"]).optional().describe("What ended the steps."),
    capacity: z
      .object({
        plan: z.enum(["surge", "handover", "swap"]),
        why: z.string().max(400).describe("Why it was chosen."),
        spare: z.int32().min(0).describe("Pods of the new revision that find room beside stable's."),
        stable: z.int32().min(0).describe("Pods that the stable revision has meanwhile."),
        canary: z.int32().min(0).describe("Pods that the new one has."),
        since: z.string().max(40).meta({ format: "date-time" }).describe("When these numbers last changed."),
        placed: z
          .int32()
          .min(0)
          .optional()
          .describe("Of a handover: the most pods of both revisions that had a node at once."),
        fullSince: z
          .string()
          .max(40)
          .meta({ format: "date-time" })
          .optional()
          .describe(
            "Of a handover: requests need more pods than that, and no node took them. They are asked for again after five minutes.",
          ),
        readyWithinMs: z.int32().min(0).optional().describe("Of a swap: after this time stable's pods come back."),
        retryAt: z
          .string()
          .max(40)
          .meta({ format: "date-time" })
          .optional()
          .describe("Of a swap whose pods found no room in time: Berth tries it again then."),
      })
      .optional()
      .describe("Where the new revision's pods find room."),
    pausedBy: z.enum(["spec", "command", "step"]).optional(),
    since: z.string().max(40).meta({ format: "date-time" }).optional().describe("When the step's observation began."),
    evidence: z.string().max(400).optional().describe("What was counted, and what it proves or what is missing."),
    rejected: z
      .array(
        z.object({
          revision: z.string().max(63),
          analysis: z
            .string()
            .max(128)
            .describe("The analysis that it was rejected by; by another it may be tried again."),
          message: z.string().max(512).describe("Why."),
        }),
      )
      .max(10)
      .optional()
      .describe("Rejected revisions; they stay rejected when the spec changes and comes back."),
  })
  .describe("The move from stable to a new revision, where it is made step by step.");

const millis = z.int().min(0).max(86_400_000);
const micros = z.int32().min(0);

const scaleSchema = z
  .object({
    replicas: z.int32().min(0).describe("Running pods of both revisions."),
    selector: z.string().max(256).describe("Their labels, for an HPA."),
    wanted: z.int32().min(0).optional().describe("Pods of the stable revision that the load asks for, or its bounds."),
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
        "`floor` (minReplicas, schedule) and `ceiling` (maxReplicas) bound it; `load` is Little's law, `trend` the load that is expected, " +
          "`backlog` what waits, `recurring` a burst that comes at even intervals, `recent` the load of one start time ago, `starting` that pods start, `idle` the time before zero, `devices` " +
          "that there are no more; `blind`: a router does not report its counts, so the number does not change.",
      ),
    message: z.string().max(256).optional().describe("The numbers behind it."),
    external: z
      .object({
        replicas: z.int32().min(0).max(1000).describe("Pods of both revisions together."),
        from: z
          .enum(["spec", "pods"])
          .describe(
            "`spec`: somebody has set `spec.replicas`. `pods`: nobody has, and the number of pods does not change.",
          ),
        until: z
          .string()
          .max(40)
          .meta({ format: "date-time" })
          .optional()
          .describe("A new HPA removes no pod before this time."),
      })
      .optional()
      .describe("With `scaling.mode: external`: how many pods should run, and who decides that."),
    ignored: z
      .int32()
      .min(0)
      .max(1000)
      .optional()
      .describe("The number in `spec.replicas`, where it has no effect: `scaling.mode` was or is `internal`."),
    learnt: z
      .object({
        startMs: millis.describe("A pod takes so long from its node to ready: nine of ten no longer."),
        phases: z
          .object({
            scheduleMs: millis.optional().describe("Until it had its node."),
            pullMs: millis.optional().describe("Until its first container ran: volumes, and the image."),
            fetchMs: millis.optional().describe("The model's fetch."),
            loadMs: millis.optional().describe("The server's start, the model's load and its first inference."),
          })
          .optional()
          .describe("The parts of the last start, by the pod's own status: whole seconds."),
        run: z
          .object({
            eachUs: micros.describe("A run takes so long (microseconds), and ..."),
            perItemUs: micros.describe("... so much more for each item."),
            maxBatch: z.int().min(1).max(1024).describe("Items that a run takes at most."),
            parallel: z.int().min(1).max(1024).describe("Runs side by side on one pod."),
          })
          .optional()
          .describe("What a pod can do, as its server has measured it."),
      })
      .optional()
      .describe("What Berth has measured of the pods; kept while there is none."),
  })
  .describe("How many pods there are, and why.");

export const statusSchema = z
  .object({
    observedGeneration: z
      .int()
      .describe("The generation that this status describes; -1 before the operator has seen it."),
    phase: z
      .enum(["Progressing", "Healthy", "Degraded"])
      .optional()
      .describe("A summary for people and for Argo CD; programs read the conditions."),
    message: z.string().max(1024).optional().describe("The first cause of trouble, or what serves, in one line."),
    url: z.string().max(512).optional().describe("Where clients inside the cluster reach the model."),
    operator: z
      .string()
      .max(127)
      .optional()
      .describe(
        "Which operator serves it, as `namespace/lease`; another release leaves it alone for as long as that one runs.",
      ),
    devices: z
      .string()
      .max(320)
      .optional()
      .describe("Devices held, such as `2 nvidia.com/gpu`, or `8/12 nvidia.com/gpu` of those wanted."),
    pods: z.string().max(24).optional().describe("Pods ready of pods wanted, such as `2/2`."),
    conditions: z
      .array(conditionSchema)
      .max(16)
      .optional()
      .describe("Ready is always there; Reconciling and Stalled only while they are True.")
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] }),
    traffic: trafficSchema.optional(),
    rollout: rolloutStatusSchema.optional(),
    scale: scaleSchema.optional(),
    stable: revisionSchema.optional().describe("The revision that serves; absent until one was ready."),
    canary: revisionSchema.optional().describe("The revision that is to take over, while it is not ready."),
  })
  .describe("What Berth has observed and done.");

export type Condition = z.output<typeof conditionSchema>;
export type RolloutStatus = z.output<typeof rolloutStatusSchema>;
export type ScaleStatus = z.output<typeof scaleSchema>;
export type Traffic = z.output<typeof trafficSchema>;
export type RevisionStatus = z.output<typeof revisionSchema>;
export type ModelDeploymentStatus = z.output<typeof statusSchema>;
