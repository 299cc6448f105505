/** `spec.rollout` of a ModelDeployment. */
import { z } from "zod";
import { rules } from "./fields.ts";
import { toleranceListSchema } from "./tolerance.ts";

/** A share as people write it; CEL has no floats to compare, so that it is taken apart there. */
const percent = (what: string, example: string) =>
  z
    .string()
    .min(2)
    .max(8)
    .regex(/^[0-9]{1,3}([.][0-9]{1,2})?%$/)
    .describe(`${what} A percentage, such as \`${example}\`.`);

const duration = (path: string, what: string) =>
  z
    .string()
    .min(2)
    .max(16)
    .optional()
    .describe(what)
    .meta(
      rules({
        rule: "self.matches('^([0-9]+(s|m|h))+$') && duration(self) >= duration('10s') && duration(self) <= duration('168h')",
        message: `spec.rollout.${path}: must be a duration from 10s to 168h in whole units, such as 90s or 1h30m`,
      }),
    );

const steps = z
  .array(
    z.object({
      weight: z
        .string()
        .min(2)
        .max(4)
        .describe("Share of the requests that the new revision gets: `1%` to `100%`, in whole percent.")
        .meta(
          rules({
            rule: "self.matches('^([1-9][0-9]?|100)%$')",
            message: "spec.rollout.steps[].weight: must be from 1% to 100% in whole percent, such as 25%",
          }),
        ),
      pause: z
        .boolean()
        .optional()
        .describe(
          "Once this step is proved safe, the rollout waits for `berth.dev/action=resume` on its ModelRollout.",
        ),
    }),
  )
  .min(1)
  .max(20)
  .optional()
  .describe(
    "The shares that the new revision gets, one after the other; after the last it gets all. Default: they follow from the traffic, so that " +
      "the first is as small as it can be and tells within a minute, and the last is half.",
  )
  .meta({
    "x-kubernetes-list-type": "atomic",
    ...rules(
      {
        rule: "self.map(s, int(s.weight.replace('%', ''))).isSorted() && self.all(s, self.exists_one(t, t.weight == s.weight))",
        message: "spec.rollout.steps: each weight must be larger than the one before",
      },
      {
        rule: "self.size() != 1 || self[0].weight != '100%'",
        message:
          "spec.rollout.steps: 100% leaves stable no requests to compare with; put a smaller step before it, such as 10%",
      },
    ),
  });

const stepDuration = z
  .object({
    min: duration("stepDuration.min", "A step takes at least this long. Default `1m`."),
    max: duration(
      "stepDuration.max",
      "A step that is not decided after this does what `onInconclusive` says. Default `1h`.",
    ),
  })
  .optional()
  .describe("How long a step takes.")
  .meta(
    rules({
      rule: "duration(has(self.min) ? self.min : '1m') <= duration(has(self.max) ? self.max : '1h')",
      message: "spec.rollout.stepDuration: min must not be longer than max (defaults: 1m and 1h)",
    }),
  );

const outputs = z
  .object({
    mode: z
      .enum(["gate", "report"])
      .optional()
      .describe(
        "`gate` (the default): the outputs must be proved to agree, and are harm where they are proved to disagree. `report`: the status tells how " +
          "many disagree, which a model that was trained anew does by design; strategy shadow has nothing else to decide by, and takes no `report`.",
      ),
    shadow: z
      .string()
      .min(2)
      .max(4)
      .optional()
      .describe(
        "Share of the requests that stable answers, of which the new revision gets a copy: `1%` to `100%`, in whole percent. Its answers go to no " +
          "client. Copies are what is dropped first under load. Default `10%`; `100%` with strategy shadow.",
      )
      .meta(
        rules({
          rule: "self.matches('^([1-9][0-9]?|100)%$')",
          message: "spec.rollout.analysis.outputs.shadow: must be from 1% to 100% in whole percent, such as 10%",
        }),
      ),
    maxDisagreement: percent(
      "A share of answers that may disagree beyond what stable disagrees with itself. Default `2%`.",
      "2%",
    ).optional(),
    tolerances: toleranceListSchema.optional(),
  })
  .describe("Whether the new revision's answers say the same as stable's, by copies of requests.");

const analysis = z
  .object({
    errors: z
      .object({
        maxIncrease: percent(
          "How much larger than stable's the rate of errors may be. Default `25%`.",
          "25%",
        ).optional(),
        floor: percent(
          "A rate of errors that is always allowed, whatever stable's is. Default `0.5%`.",
          "0.5%",
        ).optional(),
      })
      .optional()
      .describe("Errors are answers with a 5xx status, and none at all."),
    latency: z
      .object({
        mode: z
          .enum(["gate", "off"])
          .optional()
          .describe(
            "`gate` (the default): the time to the first byte must be proved to be no longer than 1.5 times stable's, and is harm where it is proved " +
              "to be longer. `off`: it is not compared, which decides sooner.",
          ),
      })
      .optional()
      .describe("How long pods take to answer, at the router."),
    outputs: outputs.optional(),
  })
  .optional()
  .describe(
    "How much worse than stable a new revision may be. After a change of it Berth tries rejected revisions again.",
  );

const CAPACITY_MESSAGE =
  "spec.rollout.capacity: handover needs strategy canary, and swap canary or blueGreen; use surge or auto with the other strategies";

export const rolloutSchema = z
  .object({
    strategy: z
      .enum(["immediate", "canary", "shadow", "blueGreen"])
      .optional()
      .describe(
        "`immediate` (the default): a new revision takes all requests once all of its pods are ready. `canary`: it gets a growing share, and " +
          "the rest only when errors and latency prove that it is not worse; if they prove that it is, it gets none. `shadow`: it gets copies of " +
          "requests only, until its answers prove to agree with stable's; then all. `blueGreen`: it gets no requests but testers' until it is ready, " +
          "then all at once, and is promoted if its pods stay healthy. All but `immediate` go through the router.",
      ),
    steps,
    stepDuration,
    analysis,
    onInconclusive: z
      .enum(["hold", "advance", "rollback"])
      .optional()
      .describe(
        "What happens when a step's longest time is over and nothing is proved. Default `hold`: it goes on as it is.",
      ),
    capacity: z
      .enum(["auto", "surge", "handover", "swap"])
      .optional()
      .describe(
        "Where the new revision's pods find room. `surge`: all of them beside stable's. `handover`: stable gives its pods up one after the other, " +
          "and is at most one short. `swap`: stable's pods go first and the router holds requests until the new ones are ready, or stable's are back. " +
          "`auto` (the default): surge where the nodes have room, else handover; with one pod swap, if starting it and the way back fit into " +
          "`traffic.queue.maxWait`. The status says which, and why.",
      ),
    progressDeadline: duration(
      "progressDeadline",
      "How long a revision may take to get its pods ready, whatever the strategy; waiting in a queue does not count. After that a canary is " +
        "rejected, and any other revision is reported as failed. Default `10m`.",
    ),
    paused: z
      .boolean()
      .optional()
      .describe("No weight moves while this is true; a proved harm still ends the rollout."),
  })
  .describe("How a new revision takes over from the stable one. Not part of the revision.")
  .meta(
    rules(
      {
        rule: "(has(self.strategy) && self.strategy != 'immediate') || !(has(self.stepDuration) || has(self.analysis) || has(self.onInconclusive) || has(self.capacity) || has(self.paused))",
        message:
          "spec.rollout: stepDuration, analysis, onInconclusive, capacity and paused need strategy canary, shadow or blueGreen; set it or remove them",
      },
      {
        rule: "!has(self.capacity) || !has(self.strategy) || self.strategy == 'canary' || self.capacity in ['auto', 'surge'] || (self.strategy == 'blueGreen' && self.capacity == 'swap')",
        message: CAPACITY_MESSAGE,
      },
      {
        rule: "(has(self.strategy) && self.strategy == 'canary') || !has(self.steps)",
        message: "spec.rollout.steps: need strategy canary; set it or remove them",
      },
      {
        rule: "!has(self.strategy) || self.strategy == 'canary' || !has(self.analysis) || !(has(self.analysis.errors) || has(self.analysis.latency))",
        message:
          "spec.rollout.analysis: errors and latency are compared by strategy canary only, where both revisions answer clients; set it or remove them",
      },
      {
        rule: "!has(self.strategy) || self.strategy != 'shadow' || !has(self.analysis) || !has(self.analysis.outputs) || !has(self.analysis.outputs.mode) || self.analysis.outputs.mode != 'report'",
        message: "spec.rollout.analysis.outputs.mode: strategy shadow decides by the outputs; remove report",
      },
    ),
  );

/** Why the capacity does not go with the strategy, as a CRD of this version says it; undefined where it does. */
export const capacityFault = ({
  capacity = "auto",
  strategy = "canary",
}: z.output<typeof rolloutSchema> = {}): string | undefined => {
  const fits =
    strategy === "canary" ||
    (strategy === "blueGreen" ? capacity !== "handover" : ["auto", "surge"].includes(capacity));
  return fits ? undefined : CAPACITY_MESSAGE;
};
