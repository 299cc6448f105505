/** `spec.scaling`: how many pods serve, and by what that follows from the load. */
import { z } from "zod";
import { rules } from "./fields.ts";

const target = z
  .object({
    utilization: z
      .string()
      .max(4)
      .regex(/^([1-9][0-9]?|100)%$/)
      .optional()
      .describe("Share of its measured capacity that each pod should use. Default: `70%`."),
    concurrency: z
      .int32()
      .min(1)
      .max(1000)
      .optional()
      .describe("Number of requests that each pod should process at a time."),
    latencyP95: z
      .string()
      .min(2)
      .max(16)
      .optional()
      .describe("Target for the 95th percentile of the latency, as a Go duration from `1ms` to `10m`.")
      .meta(
        rules({
          rule: "self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('10m')",
          message: "spec.scaling.target.latencyP95: must be a duration from 1ms to 10m in whole units, such as 200ms",
        }),
      ),
  })
  .describe("The load that each pod should carry. Set exactly one field.")
  .meta(
    rules({
      rule: "(has(self.utilization) ? 1 : 0) + (has(self.concurrency) ? 1 : 0) + (has(self.latencyP95) ? 1 : 0) == 1",
      message: "spec.scaling.target: set one of utilization, concurrency and latencyP95",
    }),
  );

const scheduleEntry = z.object({
  cron: z
    .string()
    .min(9)
    .max(120)
    .describe(
      "When the entry begins, as a cron expression: minute, hour, day of the month, month, day of the week, such as `0 8 * * 1-5`.",
    )
    .meta(
      rules(
        {
          rule: "self.matches('^[^ ]+( +[^ ]+){4}$')",
          message: "spec.scaling.schedule.cron: must have five fields, such as 0 8 * * 1-5",
        },
        {
          rule: "self.matches('^[0-9*/,?-]+ +[0-9*/,?-]+ +[0-9*/,?Ll-]+ +[0-9A-Za-z*/,?-]+ +[0-9A-Za-z*/,?#-]+$')",
          message: "spec.scaling.schedule.cron: takes numbers, names of months and days, and * / , - ? L #",
        },
        {
          // the others that never come are reported by the status
          rule: "!self.matches('^[^ ]+ +[^ ]+ +(3[01][,-]?)+ +(0?2|[Ff][Ee][Bb]) +[*?]$') && !self.matches('^[^ ]+ +[^ ]+ +(31,?)+ +((0?[2469]|11),?)+ +[*?]$')",
          message:
            "spec.scaling.schedule.cron: never matches, because none of these months has such a day; correct the day or the month",
        },
      ),
    ),
  timeZone: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe("Time zone of `cron`, such as `Europe/Berlin`. Default: `UTC`."),
  minReplicas: z.int32().min(0).max(1000).describe("Minimum number of pods from then until the next entry begins."),
});

export const scalingSchema = z
  .object({
    mode: z
      .enum(["internal", "external"])
      .optional()
      .describe(
        "What sets the number of pods. `internal` (the default): Berth, by the load. `external`: an HPA, KEDA or a user, through " +
          "`spec.replicas` or the scale subresource; until one of them does so, the number of pods does not change.",
      ),
    minReplicas: z
      .int32()
      .min(0)
      .max(1000)
      .default(1)
      .describe(
        "Minimum number of pods. With 0, Berth removes the last pod after `idleBeforeZero`; the routers then hold the next requests " +
          "until a pod is ready.",
      ),
    maxReplicas: z
      .int32()
      .min(1)
      .max(1000)
      .optional()
      .describe(
        "Maximum number of pods. Default: `minReplicas`, or 1 if that is 0. If it is larger than `minReplicas`, the number of pods " +
          "follows the load.",
      ),
    target: target.optional(),
    idleBeforeZero: z
      .string()
      .min(2)
      .max(16)
      .optional()
      .describe(
        "How long there must be no request before Berth removes the last pod, as a Go duration from `10s` to `24h`. Default: `5m`.",
      )
      .meta(
        rules({
          rule: "self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('10s') && duration(self) <= duration('24h')",
          message: "spec.scaling.idleBeforeZero: must be a duration from 10s to 24h in whole units, such as 5m",
        }),
      ),
    schedule: z
      .array(scheduleEntry)
      .max(32)
      .optional()
      .describe("Times with a higher minimum number of pods. The entry that began last applies.")
      .meta({ "x-kubernetes-list-type": "atomic" }),
  })
  .describe("How many pods serve. A change makes no new revision and starts no rollout.")
  .meta(
    rules(
      {
        rule: "!has(self.maxReplicas) || self.maxReplicas >= self.minReplicas",
        message: "spec.scaling.maxReplicas: must not be below minReplicas",
      },
      {
        rule:
          "!has(self.mode) || self.mode != 'external' || " +
          "!(self.minReplicas != 1 || has(self.maxReplicas) || has(self.target) || has(self.idleBeforeZero) || has(self.schedule))",
        message:
          "spec.scaling.mode: external takes the number of pods from spec.replicas; remove minReplicas, maxReplicas, target, idleBeforeZero and schedule",
      },
      {
        rule: "!has(self.target) || self.minReplicas == 0 || (has(self.maxReplicas) && self.maxReplicas > self.minReplicas)",
        message: "spec.scaling.target: needs a range of pods; set maxReplicas above minReplicas",
      },
      {
        rule: "!has(self.idleBeforeZero) || self.minReplicas == 0",
        message: "spec.scaling.idleBeforeZero: needs minReplicas 0; set that, or remove idleBeforeZero",
      },
      {
        rule: "!has(self.schedule) || self.schedule.size() == 0 || self.minReplicas == 0 || (has(self.maxReplicas) && self.maxReplicas > self.minReplicas)",
        message: "spec.scaling.schedule: needs a range of pods; set maxReplicas above minReplicas",
      },
      {
        rule: "!has(self.schedule) || self.schedule.all(e, e.minReplicas <= (has(self.maxReplicas) ? self.maxReplicas : 1))",
        message: "spec.scaling.schedule: minReplicas of an entry must not be above spec.scaling.maxReplicas",
      },
    ),
  );
