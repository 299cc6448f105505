/** `spec.scheduling`: where the pods may run, and what lets them in. */
import { z } from "zod";
import { LABEL_KEY, labelKey, labelValue, objectName, rules } from "./fields.ts";

const toleration = z
  .object({
    key: labelKey("The taint's key. Left out, with operator Exists, it is every taint.").optional(),
    operator: z
      .enum(["Exists", "Equal"])
      .optional()
      .describe("`Equal` (the default) compares the value, `Exists` takes any."),
    value: labelValue("The taint's value, with operator Equal.").optional(),
    effect: z
      .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
      .optional()
      .describe("The taint's effect. Default: any."),
    tolerationSeconds: z
      .int32()
      .min(0)
      .optional()
      .describe("How long a pod stays on a node that gets the taint. Only with effect NoExecute. Default: forever."),
  })
  .meta(
    rules(
      {
        rule: "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
        message: "spec.scheduling.tolerations: key must be set, or operator must be Exists",
      },
      {
        rule: "!has(self.value) || !has(self.operator) || self.operator == 'Equal'",
        message: "spec.scheduling.tolerations: value is only for operator Equal; remove it",
      },
      {
        rule: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
        message: "spec.scheduling.tolerations: tolerationSeconds is only for effect NoExecute; remove it",
      },
    ),
  );

const spread = z.object({
  topologyKey: labelKey("The node label whose values are spread over, such as `topology.kubernetes.io/zone`."),
  maxSkew: z
    .int32()
    .min(1)
    .max(1000)
    .optional()
    .describe("How many more pods one value may have than another. Default 1."),
  whenUnsatisfiable: z
    .enum(["DoNotSchedule", "ScheduleAnyway"])
    .describe("`DoNotSchedule` lets pods wait, `ScheduleAnyway` only prefers."),
});

export const scheduling = z
  .object({
    nodeSelector: z
      .record(labelKey("A node label."), labelValue("Its value."))
      .optional()
      .describe("Labels that a node must have.")
      .meta({
        maxProperties: 16,
        ...rules({
          rule: `self.all(key, key.size() <= 317 && key.matches('${LABEL_KEY}'))`,
          message: "spec.scheduling.nodeSelector: each key must be that of a node label, such as kubernetes.io/arch",
        }),
      }),
    tolerations: z
      .array(toleration)
      .max(16)
      .optional()
      .describe(
        "Taints that the pods tolerate, as in a pod's spec. With vendor nvidia `nvidia.com/gpu` is among them already.",
      ),
    priorityClassName: objectName("The pods' PriorityClass.")
      .optional()
      .meta(
        rules({
          rule: "!self.startsWith('system-')",
          message:
            "spec.scheduling.priorityClassName: system- classes are for the cluster's own pods; name another one",
        }),
      ),
    runtimeClassName: objectName("The pods' RuntimeClass, such as `nvidia`.").optional(),
    queueName: objectName(
      "A LocalQueue of Kueue in this namespace: pods wait until Kueue admits them. Without Kueue it has no effect.",
    )
      .max(63)
      .optional(),
    topologySpread: z
      .array(spread)
      .max(4)
      .optional()
      .describe(
        "How a revision's pods spread over zones, nodes or other node labels. Default: what the scheduler does with every " +
          "pod, softly over nodes and zones.",
      )
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["topologyKey", "whenUnsatisfiable"] }),
  })
  .describe("Where the pods may run, and what lets them in. A change makes a new revision.");
