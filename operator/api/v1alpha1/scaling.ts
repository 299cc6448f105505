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
      .describe("The share of its measured capacity that a pod should use. Default `70%`."),
    concurrency: z.int32().min(1).max(1000).optional().describe("Requests that a pod should work on at a time."),
    latencyP95: z
      .string()
      .min(2)
      .max(16)
      .optional()
      .describe("The time in which 95 of 100 requests should be answered, as a Go duration from `1ms` to `10m`.")
      .meta(
        rules({
          rule: "self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('10m')",
          message: "spec.scaling.target.latencyP95: must be a duration from 1ms to 10m in whole units, such as 200ms",
        }),
      ),
  })
  .describe("How much load a pod should carry; one of the three.")
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
    .describe("When it begins: minute, hour, day of the month, month, day of the week, such as `0 8 * * 1-5`.")
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
  timeZone: z.string().min(1).max(64).optional().describe("Such as `Europe/Berlin`. Default `UTC`."),
  minReplicas: z.int32().min(0).max(1000).describe("The fewest pods, from then until the next entry begins."),
});

export const scalingSchema = z
  .object({
    mode: z
      .enum(["internal", "external"])
      .optional()
      .describe(
        "Who decides how many pods serve. `internal` (the default): Berth, by the load. `external`: an HPA, KEDA or a person, by " +
          "`spec.replicas`, through the scale subresource. Until then the number of pods does not change.",
      ),
    minReplicas: z
      .int32()
      .min(0)
      .max(1000)
      .default(1)
      .describe("The fewest pods, 0 to 1000. With 0, the routers hold requests that find no pod until one is ready."),
    maxReplicas: z
      .int32()
      .min(1)
      .max(1000)
      .optional()
      .describe("The most pods. Default: `minReplicas`, and at least 1. Above it, their number follows the load."),
    target: target.optional(),
    idleBeforeZero: z
      .string()
      .min(2)
      .max(16)
      .optional()
      .describe(
        "How long without a request until the last pod goes, as a Go duration from `10s` to `24h`. Default `5m`.",
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
      .describe("Times with a higher number of pods, whatever the load; the entry that began last counts.")
      .meta({ "x-kubernetes-list-type": "atomic" }),
  })
  .describe("How many pods serve. Not part of the revision: a change starts no rollout.")
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
          "spec.scaling.mode: with external, whoever writes spec.replicas decides; remove minReplicas, maxReplicas, target, idleBeforeZero and schedule",
      },
      {
        rule: "!has(self.target) || self.minReplicas == 0 || (has(self.maxReplicas) && self.maxReplicas > self.minReplicas)",
        message: "spec.scaling.target: needs a range of pods; set maxReplicas above minReplicas",
      },
      {
        rule: "!has(self.idleBeforeZero) || self.minReplicas == 0",
        message: "spec.scaling.idleBeforeZero: only with minReplicas 0; set that, or remove idleBeforeZero",
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
