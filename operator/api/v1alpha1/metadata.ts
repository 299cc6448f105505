/** Labels and annotations that users put on pods and Services: all but Berth's own keys and those that Kubernetes reserves. */
import { z } from "zod";
import { LABEL_KEY, labelKey, labelValue, rules } from "./fields.ts";

/** So many of each kind. */
const MOST = 32;

/** `^` and `$` are left out: it is put together with others. CEL and JavaScript read it alike. */
const RESERVED_DOMAINS = "([^/]*[.])?(berth[.]dev|kubernetes[.]io|k8s[.]io)/.*";
const RESERVED_LABELS =
  "pod-template-hash|controller-revision-hash|app[.]kubernetes[.]io/managed-by|kueue[.]x-k8s[.]io/queue-name";

/** `but`: the domains below the reserved ones whose keys are free; `also`: a pattern of keys that are reserved besides. */
const keyRules = (field: string, { but, also = "" }: { but: readonly string[]; also?: string }) =>
  rules(
    {
      rule: `self.all(key, key.size() <= 317 && key.matches('${LABEL_KEY}'))`,
      message: `${field}: each key must be a name such as team, or one with a domain, such as example.com/team`,
    },
    {
      rule:
        `self.all(key, !key.matches('^(${also === "" ? "" : `${also}|`}${RESERVED_DOMAINS})$') || ` +
        `(key.matches('^(${but.map((domain) => domain.replaceAll(".", "[.]")).join("|")})/')${also === "" ? "" : ` && !key.matches('^(${also})$')`}))`,
      message:
        `${field}: keys of berth.dev, kubernetes.io and k8s.io are reserved` +
        `${also === "" ? "" : ", and so are pod-template-hash, controller-revision-hash, app.kubernetes.io/managed-by and Kueue's queue name (set spec.scheduling.queueName)"}; ` +
        `use other keys, or keys of ${but.join(" or ")}`,
    },
  );

const labels = (field: string, what: string) =>
  z
    .record(labelKey("A label."), labelValue("Its value."))
    .optional()
    .describe(what)
    .meta({ maxProperties: MOST, ...keyRules(field, { but: ["app.kubernetes.io"], also: RESERVED_LABELS }) });

const annotations = (field: string, what: string, but: readonly string[]) =>
  z
    .record(labelKey("An annotation."), z.string().max(4096).describe("Its value."))
    .optional()
    .describe(what)
    .meta({ maxProperties: MOST, ...keyRules(field, { but }) });

export const podLabels = labels(
  "spec.podLabels",
  "Additional labels of the pods, such as the name of a team or a label that a service mesh reads. A change makes a new revision.",
);

export const podAnnotations = annotations(
  "spec.podAnnotations",
  "Additional annotations of the pods. A change makes a new revision.",
  ["cluster-autoscaler.kubernetes.io"],
);

export const service = z
  .object({
    labels: labels(
      "spec.service.labels",
      "Additional labels of the Service, such as those that a ServiceMonitor selects.",
    ),
    annotations: annotations("spec.service.annotations", "Additional annotations of the Service.", [
      "service.kubernetes.io",
      "service.beta.kubernetes.io",
    ]),
  })
  .describe("Metadata of the Service that clients use. A change makes no new revision and restarts no pod.");
