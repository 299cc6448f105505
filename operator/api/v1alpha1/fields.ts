/** Building blocks of the schema: strings and numbers that Kubernetes itself knows, each with its bounds. */
import { z } from "zod";

/**
 * A CEL rule of the CRD, checked by the API server. It is carried through zod as metadata:
 * zod itself does not evaluate it. `message` names the field and says what to do.
 */
export type Rule = {
  rule: string;
  message: string;
  /** CEL that makes the message, where it names what was given; `message` stands in where it fails. */
  messageExpression?: string;
};

export const rules = (...list: Rule[]): { "x-kubernetes-validations": Rule[] } => ({
  "x-kubernetes-validations": list,
});

/** 1 to 65535, for a pattern of CEL's. */
export const PORT = "(0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))";

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** The name of an object in the ModelDeployment's own namespace, or of one without a namespace: no field can name another. */
export const objectName = (what: string) => z.string().min(1).max(253).regex(SUBDOMAIN).describe(what);

/** A name inside a pod, or of a Service. */
export const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** A name inside a pod. */
export const podInternalName = (what: string) => z.string().min(1).max(63).regex(DNS_LABEL).describe(what);

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

/** As Kubernetes writes them, but not negative, and with an exponent that a machine can have. */
const SIZE = /^[+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]{1,2})?$/;
/** Few enough digits for thousandths of a core in 64 bits, as the scheduler counts them. */
const CORES = /^[+]?([0-9]{1,6}[.]?[0-9]*|[.][0-9]+)([numkMG]|[KMG]i|[eE][-+]?[0-9])?$/;

/**
 * A condition for CEL: the exponent has few digits. The API server evaluates rules of values that break their pattern, too, and
 * its own arithmetic would take the time of as many digits as the exponent says.
 */
export const modest = (value: string): string => `!string(${value}).matches('[eE][-+]?[0-9]{3}')`;

/** Bytes, as a quantity: `512Mi`, `1.5Gi`, `"1e9"`. `field` is its whole path, for the message. */
export const size = (what: string, field: string) =>
  z
    .union([z.int().min(0), z.string().min(1).max(20).regex(SIZE)])
    .describe(what)
    .meta({
      "x-kubernetes-int-or-string": true,
      ...rules({
        rule:
          `${modest("self")} && (quantity(string(self)).compareTo(quantity('0')) == 0 || ` +
          "(quantity(string(self)).compareTo(quantity('1Mi')) >= 0 && quantity(string(self)).compareTo(quantity('1Ei')) <= 0))",
        message:
          `${field}: must be 0 or from 1Mi to 1Ei, such as 512Mi (m means thousandths, and a number alone is bytes); ` +
          "a number with a point or an exponent must be in quotes",
      }),
    });

/**
 * Cores, as a quantity: `500m`, `2`, `0.5` also without quotes. A schema that takes such numbers beside strings has no type, and
 * CEL does not see its value.
 */
export const cores = (what: string) =>
  z
    .union([z.number().min(0).max(999_999), z.string().min(1).max(20).regex(CORES)])
    .describe(what)
    .meta({ "x-kubernetes-preserve-unknown-fields": true });
