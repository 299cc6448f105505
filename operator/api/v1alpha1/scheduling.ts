/** `spec.scheduling`: where the pods may run, and what lets them in. */
import { z } from "zod";
import { LABEL_KEY, labelKey, labelValue, objectName, rules } from "./fields.ts";

const toleration = z
  .object({
    key: labelKey("Key of the taint. Without it, operator `Exists` matches every taint.").optional(),
    operator: z
      .enum(["Exists", "Equal"])
      .optional()
      .describe("`Equal` (the default) compares the value; `Exists` matches any value."),
    value: labelValue("Value of the taint. Only with operator `Equal`.").optional(),
    effect: z
      .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
      .optional()
      .describe("Effect of the taint. Default: all effects."),
    tolerationSeconds: z
      .int32()
      .min(0)
      .optional()
      .describe(
        "How many seconds a pod stays on a node that gets the taint. Only with effect `NoExecute`. Default: unlimited.",
      ),
  })
  .meta(
    rules(
      {
        rule: "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
        message: "spec.scheduling.tolerations: key must be set, or operator must be Exists",
      },
      {
        rule: "!has(self.value) || !has(self.operator) || self.operator == 'Equal'",
        message: "spec.scheduling.tolerations: value needs operator Equal; set that, or remove value",
      },
      {
        rule: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
        message:
          "spec.scheduling.tolerations: tolerationSeconds needs effect NoExecute; set that, or remove tolerationSeconds",
      },
    ),
  );

const spread = z.object({
  topologyKey: labelKey("Node label whose values are the topology domains, such as `topology.kubernetes.io/zone`."),
  maxSkew: z
    .int32()
    .min(1)
    .max(1000)
    .optional()
    .describe("Maximum difference in the number of pods between two topology domains. Default: 1."),
  whenUnsatisfiable: z
    .enum(["DoNotSchedule", "ScheduleAnyway"])
    .describe(
      "`DoNotSchedule`: a pod that breaks the constraint stays Pending. `ScheduleAnyway`: the constraint is a preference.",
    ),
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
        "Tolerations of the pods, as in a pod's spec. With vendor nvidia, Berth adds one for `nvidia.com/gpu:NoSchedule`.",
      ),
    priorityClassName: objectName("PriorityClass of the pods.")
      .optional()
      .meta(
        rules({
          rule: "!self.startsWith('system-')",
          message:
            "spec.scheduling.priorityClassName: classes whose names begin with system- are for the cluster's own pods; use another one",
        }),
      ),
    runtimeClassName: objectName("RuntimeClass of the pods, such as `nvidia`.").optional(),
    queueName: objectName(
      "A LocalQueue of Kueue in this namespace. The pods wait until Kueue admits them. Without Kueue the field has no effect.",
    )
      .max(63)
      .optional(),
    topologySpread: z
      .array(spread)
      .max(4)
      .optional()
      .describe(
        "How the pods of one revision spread over zones, nodes or other topology domains. Default: the scheduler's own default " +
          "constraints, which prefer a spread over nodes and zones.",
      )
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["topologyKey", "whenUnsatisfiable"] }),
  })
  .describe("Which nodes the pods may run on, and their priority and queue. A change makes a new revision.");
