/**
 * schemas/: JSON schemas of our kinds for editors and for kubeconform, from those that make the CRDs. Every object is closed, so that
 * a misspelt field is found: a CRD leaves them open, for the API server drops what it does not know.
 */

import { modelDeploymentCrd, modelRolloutCrd } from "../../operator/api/v1alpha1/crd.ts";
import { GROUP, VERSION } from "../../operator/api/v1alpha1/index.ts";
import type { JsonSchema } from "../../operator/api/v1alpha1/structural.ts";
import type { Generated } from "./generated.ts";

type Closed = { [keyword: string]: unknown };

const text = { type: "string" };
const texts = { type: "object", additionalProperties: text };
const number = { type: "integer" };
const owner: Closed = {
  type: "object",
  additionalProperties: false,
  required: ["apiVersion", "kind", "name", "uid"],
  properties: {
    ...{ apiVersion: text, kind: text, name: text, uid: text },
    ...{ blockOwnerDeletion: { type: "boolean" }, controller: { type: "boolean" } },
  },
};
/** Kubernetes' ObjectMeta, also as `kubectl get -o yaml` shows it. */
const metadata: Closed = {
  type: "object",
  additionalProperties: false,
  properties: {
    ...{ name: text, generateName: text, namespace: text, labels: texts, annotations: texts },
    finalizers: { type: "array", items: text },
    ownerReferences: { type: "array", items: owner },
    managedFields: { type: "array", items: { type: "object" } },
    ...{ creationTimestamp: { type: ["string", "null"] }, deletionTimestamp: text, deletionGracePeriodSeconds: number },
    ...{ generation: number, resourceVersion: text, selfLink: text, uid: text },
  },
};

/** What stands for "a number or a string" in a structural schema, by keywords that a JSON schema does not need. */
const UNTYPED = new Set(["anyOf", "not", "minItems", "maxItems", "minProperties", "maxProperties"]);

/** The JSON schema that takes what a structural schema takes, and no field beside those that it names. */
export const closed = (schema: JsonSchema): Closed => {
  const isText = schema["x-kubernetes-int-or-string"] === true;
  const isScalar = schema.not !== undefined;
  const entries = Object.entries(schema).flatMap(([keyword, value]): [string, unknown][] =>
    keyword.startsWith("x-kubernetes-") || ((isText || isScalar) && UNTYPED.has(keyword)) ? [] : [[keyword, value]],
  );
  const { additionalProperties, items, properties } = schema;
  const inner = Object.entries(properties ?? {}).map(([name, child]) => [name, closed(child)]);
  return {
    ...Object.fromEntries(entries),
    ...(isText ? { type: ["integer", "string"] } : {}),
    ...(isScalar ? { type: ["number", "string"] } : {}),
    ...(schema["x-kubernetes-list-type"] === "set" ? { uniqueItems: true } : {}),
    ...(items === undefined ? {} : { items: closed(items) }),
    ...(properties === undefined ? {} : { properties: Object.fromEntries(inner), additionalProperties: false }),
    ...(typeof additionalProperties === "object" ? { additionalProperties: closed(additionalProperties) } : {}),
  };
};

const whole = (kind: string, schema: JsonSchema): Closed => {
  const { properties = {}, ...rest } = schema;
  const { spec, status } = properties;
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: kind,
    ...closed(rest),
    required: ["apiVersion", "kind", "metadata", ...(schema.required ?? [])],
    additionalProperties: false,
    properties: {
      apiVersion: { enum: [`${GROUP}/${VERSION}`] },
      kind: { enum: [kind] },
      metadata,
      ...(spec === undefined ? {} : { spec: closed(spec) }),
      ...(status === undefined ? {} : { status: closed(status) }),
    },
  };
};

export const jsonSchemas = (): Generated[] =>
  [modelDeploymentCrd(), modelRolloutCrd()].map(({ spec: { names, versions } }) => ({
    // kubeconform's own way of naming them.
    path: `schemas/${names.kind.toLowerCase()}_${VERSION}.json`,
    text: `${JSON.stringify(whole(names.kind, versions[0]?.schema.openAPIV3Schema ?? {}), undefined, 2)}\n`,
  }));
