/** Building blocks of the schema: strings and numbers that Kubernetes itself knows, each with its bounds. */
import { z } from "zod";

/**
 * A CEL rule of the CRD, checked by the API server. It is carried through zod as metadata:
 * zod itself does not evaluate it. `message` names the field and says what to do.
 */
export type Rule = { rule: string; message: string };

export const rules = (...list: Rule[]): { "x-kubernetes-validations": Rule[] } => ({
  "x-kubernetes-validations": list,
});

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** The name of an object in the ModelDeployment's own namespace, or of one without a namespace: no field can name another. */
export const objectName = (what: string) => z.string().min(1).max(253).regex(SUBDOMAIN).describe(what);

/** A name inside a pod. */
export const podInternalName = (what: string) =>
  z
    .string()
    .min(1)
    .max(63)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
    .describe(what);

/** The key of a label or of a taint, with or without a domain. CEL and JavaScript read it alike. */
export const LABEL_KEY =
  "^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";

export const labelKey = (what: string) => z.string().min(1).max(317).regex(new RegExp(LABEL_KEY)).describe(what);

export const labelValue = (what: string) =>
  z
    .string()
    .max(63)
    .regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/)
    .describe(what);

const QUANTITY = /^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/;

/** A Kubernetes quantity that is not negative: `500m`, `1.5Gi`, `2`. Exponents (`1e3`) are left out on purpose. */
export const quantity = (what: string) =>
  z
    .union([z.int().min(0), z.string().min(1).max(20).regex(QUANTITY)])
    .describe(what)
    .meta({ "x-kubernetes-int-or-string": true });
