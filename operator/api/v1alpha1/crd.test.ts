import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { modelDeploymentCrd } from "./crd.ts";
import { type JsonSchema, valuesOf } from "./structural.ts";

/** What the API server or its CEL cost estimate would refuse, or what leaves an input without a bound. */
const faults = (schema: JsonSchema, path: string): string[] => {
  const intOrString = schema["x-kubernetes-int-or-string"] === true;
  const isUntyped = intOrString || schema["x-kubernetes-preserve-unknown-fields"] === true;
  const values = valuesOf(schema);
  return [
    ...(schema.type === undefined && !isUntyped ? [`${path}: no type`] : []),
    ...(schema.anyOf && !intOrString ? [`${path}: anyOf`] : []),
    ...((schema.anyOf ?? []).some((one) => Object.keys(one).length !== 1) ? [`${path}: bounds inside anyOf`] : []),
    ...(isUntyped && (schema.maxLength === undefined || schema.pattern === undefined) ? [`${path}: any text`] : []),
    ...(schema.type === "string" && !schema.enum && schema.maxLength === undefined ? [`${path}: no maxLength`] : []),
    ...(schema.type === "array" && schema.maxItems === undefined ? [`${path}: no maxItems`] : []),
    ...("additionalProperties" in schema && !values ? [`${path}: additionalProperties`] : []),
    ...(values && schema.maxProperties === undefined ? [`${path}: no maxProperties`] : []),
    ...(JSON.stringify(schema).includes("$".concat("{")) ? [`${path}: looks like a variable`] : []),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) => faults(child, `${path}.${name}`)),
    ...(schema.items ? faults(schema.items, `${path}[]`) : []),
    ...(values ? faults(values, `${path}{}`) : []),
  ];
};

const messagesOf = (schema: JsonSchema): string[] => [
  ...(schema["x-kubernetes-validations"] ?? []).map(({ message }) => message),
  ...Object.values(schema.properties ?? {}).flatMap(messagesOf),
  ...(schema.items ? messagesOf(schema.items) : []),
];

describe("the CRD", () => {
  const crd = modelDeploymentCrd();
  const properties = crd.spec.versions[0]?.schema.openAPIV3Schema.properties ?? {};

  it("is a structural schema, with a bound on every string, list and map", () => {
    for (const part of ["spec", "status"]) assert.deepEqual(faults(properties[part] ?? {}, part), []);
  });

  it("has rules whose messages show no pattern", () => {
    const messages = Object.values(properties).flatMap(messagesOf);
    assert.ok(messages.length > 50);
    assert.deepEqual(
      messages.filter((message) => /[\^$\\]|[)\]][?*+]|\[[.^-]/.test(message)),
      [],
    );
  });

  it("stays below what client-side apply can carry", () => {
    assert.ok(JSON.stringify(crd).length < 200_000);
  });

  it("marks an object that the operator has not seen", () => {
    assert.deepEqual(properties.status?.default, { observedGeneration: -1 });
  });
});
