/** `spec.rollout` of a ModelDeployment. */
import { z } from "zod";
import { rules } from "./fields.ts";
import { toleranceListSchema } from "./tolerance.ts";

/** A share as people write it; CEL has no floats to compare, so that it is taken apart there. */
const percent = (what: string) =>
  z
    .string()
    .min(2)
    .max(8)
    .regex(/^[0-9]{1,3}([.][0-9]{1,2})?%$/)
    .describe(what);

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
        .describe("Share of the requests that the new revision gets, from `1%` to `100%` in whole percent.")
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
          "If true, the rollout pauses once this step is proved safe, until its ModelRollout gets the annotation " +
            "`berth.dev/action=resume`. Default: false.",
        ),
    }),
  )
  .min(1)
  .max(20)
  .optional()
  .describe(
    "Shares of the requests that the new revision gets, in this order; after the last step it gets all requests. Default: Berth " +
      "derives the steps from the traffic. The first is the smallest share (at least 5%) that gives the new revision about 300 " +
      "requests within `stepDuration.min`, each further one is five times as large, and the last is 50%.",
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
    min: duration("stepDuration.min", "Minimum duration of a step. Default: `1m`."),
    max: duration(
      "stepDuration.max",
      "Maximum duration of a step. If nothing is proved by then, `onInconclusive` applies. Default: `1h`.",
    ),
  })
  .optional()
  .describe("How long each step takes, from `10s` to `168h`.")
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
        "`gate` (the default): the rollout needs proof that the outputs agree, and proof that they disagree rolls it back. `report`: the " +
          "status reports how many outputs disagree, and the rollout does not depend on it; use it for a retrained model, whose outputs " +
          "differ by design. Strategy `shadow` compares outputs only and does not accept `report`.",
      ),
    shadow: z
      .string()
      .min(2)
      .max(4)
      .optional()
      .describe(
        "Share of the stable revision's requests that the router copies to the new revision, from `1%` to `100%` in whole percent. " +
          "Answers to copies go to no client. Under load the router drops copies first. Default: `10%`, or `100%` with strategy `shadow`.",
      )
      .meta(
        rules({
          rule: "self.matches('^([1-9][0-9]?|100)%$')",
          message: "spec.rollout.analysis.outputs.shadow: must be from 1% to 100% in whole percent, such as 10%",
        }),
      ),
    maxDisagreement: percent(
      "Share of the answers that may disagree, beyond the share in which the stable revision disagrees with itself, as a percentage such as `2.5%`. Default: `2%`.",
    ).optional(),
    tolerances: toleranceListSchema.optional(),
  })
  .describe(
    "Comparison of the two revisions' outputs, by copies of requests. Default: outputs are compared with strategy `shadow` only.",
  );

const analysis = z
  .object({
    errors: z
      .object({
        maxIncrease: percent(
          "How much larger than the stable revision's the error rate may be, as a percentage of that rate. Default: `25%`.",
        ).optional(),
        floor: percent(
          "Error rate that is always acceptable, whatever the stable revision's is, as a percentage. Default: `0.5%`.",
        ).optional(),
      })
      .optional()
      .describe(
        "Comparison of error rates. Errors are 5xx answers, missing and late answers, and refusals of requests that the stable revision " +
          "accepts.",
      ),
    latency: z
      .object({
        mode: z
          .enum(["gate", "off"])
          .optional()
          .describe(
            "`gate` (the default): the rollout needs proof that the time to the first byte is at most 1.5 times the stable revision's; proof " +
              "that it is more than 5% longer rolls the rollout back. `off`: latency is not compared, so that the rollout needs fewer requests.",
          ),
      })
      .optional()
      .describe("Comparison of latencies, as the router measures them."),
    outputs: outputs.optional(),
  })
  .optional()
  .describe(
    "How much worse than the stable revision a new revision may be. After a change, Berth tries rejected revisions again.",
  );

const CAPACITY_MESSAGE =
  "spec.rollout.capacity: handover needs strategy canary, and swap canary or blueGreen; use surge or auto with the other strategies";

export const rolloutSchema = z
  .object({
    strategy: z
      .enum(["immediate", "canary", "shadow", "blueGreen"])
      .optional()
      .describe(
        "How the new revision takes over. `immediate` (the default): it gets all requests once all of its pods are ready. `canary`: it " +
          "gets a growing share of the requests, and all of them only after `analysis` proves that it is not worse than the stable " +
          "revision; if it is proved worse, it is rolled back. `shadow`: it gets copies of requests only, until its outputs are proved to " +
          "agree with the stable revision's; then it gets all requests. `blueGreen`: for `stepDuration.min` it gets only requests that " +
          "name it in the header `x-berth-revision`, then all requests at once; it is promoted if its pods stay healthy. All strategies " +
          "but `immediate` need the router.",
      ),
    steps,
    stepDuration,
    analysis,
    onInconclusive: z
      .enum(["hold", "advance", "rollback"])
      .optional()
      .describe(
        "What happens if nothing is proved by the end of `stepDuration.max`. `hold` (the default): the step continues. `advance`: the " +
          "next step begins. `rollback`: the new revision is rejected.",
      ),
    capacity: z
      .enum(["auto", "surge", "handover", "swap"])
      .optional()
      .describe(
        "Where the new revision's pods find room. `surge`: all of them run beside the stable revision's. `handover`: the stable revision " +
          "gives up its pods one by one as the new ones become ready. `swap`: the stable revision's pods go first, and the router holds " +
          "requests until the new pods are ready or the stable ones are back. `auto` (the default): `surge` where the nodes have room; " +
          "otherwise `handover` with strategy `canary` and several pods, or `swap` with one pod and strategy `canary` or `blueGreen`, if " +
          "its start and a way back fit into `traffic.queue.maxWait`; otherwise the pods wait for room. `status.rollout.capacity` has the " +
          "choice and its reason.",
      ),
    progressDeadline: duration(
      "progressDeadline",
      "How long the pods of a revision may take to become ready, with every strategy, from `10s` to `168h`. Time before they " +
        "have their nodes does not count. A revision that exceeds it during a rollout is rejected; any other is reported as failed. Default: `10m`.",
    ),
    paused: z
      .boolean()
      .optional()
      .describe(
        "If true, no share of the requests moves to the new revision; proved harm still rolls it back. Default: false.",
      ),
  })
  .describe("How a new revision takes over from the stable one. A change makes no new revision.")
  .meta(
    rules(
      {
        rule: "(has(self.strategy) && self.strategy != 'immediate') || !(has(self.stepDuration) || has(self.analysis) || has(self.onInconclusive) || has(self.capacity) || has(self.paused))",
        message:
          "spec.rollout: stepDuration, analysis, onInconclusive, capacity and paused need strategy canary, shadow or blueGreen; set one of these, or remove them",
      },
      {
        rule: "!has(self.capacity) || !has(self.strategy) || self.strategy == 'canary' || self.capacity in ['auto', 'surge'] || (self.strategy == 'blueGreen' && self.capacity == 'swap')",
        message: CAPACITY_MESSAGE,
      },
      {
        rule: "(has(self.strategy) && self.strategy == 'canary') || !has(self.steps)",
        message: "spec.rollout.steps: need strategy canary; set that, or remove steps",
      },
      {
        rule: "!has(self.strategy) || self.strategy == 'canary' || !has(self.analysis) || !(has(self.analysis.errors) || has(self.analysis.latency))",
        message:
          "spec.rollout.analysis: errors and latency are compared by strategy canary only, where both revisions answer clients; set that, or remove them",
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
