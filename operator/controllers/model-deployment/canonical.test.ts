import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anySpec } from "../../../test/simulation/specs.ts";
import { executionProviderOf, parseDelay, parseDuration, parseQuantity, specSchema } from "../../api/v1alpha1/index.ts";
import { covers } from "../../apply/drift.ts";
import { canonical, isSameJson, sortedJson } from "./canonical.ts";
import { podTemplate } from "./children/pod-template.ts";
import { type RevisionSpec, revisionSpecOf } from "./revision-spec.ts";

const settings = { runtimeImage: "berth-runtime:1", runtimeImagePullPolicy: "IfNotPresent", allowHttpModels: true };

/** What is a duration, and that claims have names of their own, are rules of the CRD: the schema alone does not know them. */
const isUsable = (spec: RevisionSpec): boolean => {
  const claims = spec.accelerator?.claims ?? [];
  if (new Set(claims.map(({ name }) => name)).size < claims.length) return false;
  try {
    return canonical(spec) !== "";
  } catch {
    return false;
  }
};

const anyRevision = anySpec.map(revisionSpecOf).filter(isUsable);

/** The spec without one of its fields or items, for each of them. */
const withoutEach = (value: unknown): unknown[] => {
  if (Array.isArray(value)) return value.map((_, i) => value.toSpliced(i, 1));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const { [key]: _, ...rest } = Object.fromEntries(Object.entries(value));
    return [rest, ...withoutEach(inner).map((less) => ({ ...value, [key]: less }))];
  });
};

/** Empty lists and maps say what absent ones do; what is twice in a list of tolerations is once there. */
const withoutEmpty = (value: unknown): unknown => {
  if (Array.isArray(value)) {
    const items = value.map((item) => JSON.stringify(withoutEmpty(item)));
    return value.length === 0 ? undefined : items.filter((item, i) => items.indexOf(item) === i).map(parsed);
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withoutEmpty(inner)]);
  const full = entries.filter(([, inner]) => inner !== undefined);
  return full.length === 0 ? undefined : Object.fromEntries(full);
};

const parsed = (json: string): unknown => JSON.parse(json);

/** The pods that the API server makes of it: a limit without a request is a request as well. */
const podsOf = (spec: RevisionSpec): unknown => {
  const template = structuredClone(podTemplate("name", "revision", spec, settings));
  for (const { resources } of [...(template.spec?.initContainers ?? []), ...(template.spec?.containers ?? [])]) {
    if (resources !== undefined) resources.requests = { ...resources.limits, ...resources.requests };
  }
  return withoutEmpty(template);
};

const areSamePods = (one: RevisionSpec, other: RevisionSpec): boolean => {
  const [first, second] = [podsOf(one), podsOf(other)];
  return covers(first, second) && covers(second, first);
};

test("specs are the same where their pods are, and only there", () => {
  const seen = { same: 0, different: 0 };
  fc.assert(
    fc.property(anyRevision, (spec) => {
      for (const candidate of withoutEach(spec)) {
        const { success, data } = specSchema.omit({ scaling: true }).safeParse(candidate);
        if (!success || !isUsable(data)) continue;
        const isSame = areSamePods(spec, data);
        seen[isSame ? "same" : "different"] += 1;
        assert.equal(canonical(data) === canonical(spec), isSame, JSON.stringify([spec, data]));
      }
    }),
    { numRuns: 200 },
  );
  assert.ok(seen.same > 100 && seen.different > 1000, JSON.stringify(seen));
});

type Amounts = Record<string, string | number | undefined>;

/** The same amount in billionths. */
const inNano = (amounts: Amounts = {}): Amounts =>
  Object.fromEntries(
    Object.entries(amounts).flatMap(([name, amount]) => {
      const nano = amount === undefined ? undefined : parseQuantity(amount);
      // as a decimal fraction: not every amount is a whole number of thousandths
      return nano === undefined ? [] : [[name, `${nano / 10n ** 9n}.${String(nano % 10n ** 9n).padStart(9, "0")}`]];
    }),
  );

/** The same spec as somebody writes it who leaves nothing out, in other words and another order. */
const writtenOut = (spec: RevisionSpec): RevisionSpec => {
  const { accelerator, resources, scheduling, server } = spec;
  const { executionProvider: _, ...rest } = server ?? {};
  const limits = inNano(resources?.limits);
  const defaults = { cpu: limits.cpu ?? "100m", memory: limits.memory ?? "256Mi" };
  const isShared = accelerator?.vendor === "nvidia" && accelerator.claims === undefined;
  const isCounted = accelerator !== undefined && accelerator.claims === undefined;
  return {
    ...spec,
    serviceAccountName: spec.serviceAccountName ?? "default",
    imagePullSecrets: (spec.imagePullSecrets ?? []).toReversed(),
    server: {
      ...rest,
      executionProvider: executionProviderOf(spec),
      requestTimeout: `${parseDuration(server?.requestTimeout ?? "30s")}ms`,
      batching: {
        maxBatchSize: server?.batching?.maxBatchSize ?? 32,
        maxDelay: `${parseDelay(server?.batching?.maxDelay ?? "0s")}us`,
      },
    },
    resources: { limits, requests: { ...limits, ...defaults, ...inNano(resources?.requests) } },
    ...(accelerator === undefined
      ? {}
      : {
          accelerator: {
            ...accelerator,
            ...(isCounted ? { count: accelerator.count ?? 1 } : {}),
            ...(isShared ? { sharing: accelerator.sharing ?? "exclusive" } : {}),
            ...(accelerator.products === undefined ? {} : { products: accelerator.products.toReversed() }),
            ...(accelerator.claims === undefined ? {} : { claims: accelerator.claims.toReversed() }),
          },
        }),
    scheduling: {
      ...scheduling,
      nodeSelector: Object.fromEntries(Object.entries(scheduling?.nodeSelector ?? {}).toReversed()),
      tolerations: [
        ...(accelerator?.vendor === "nvidia"
          ? [{ key: "nvidia.com/gpu", operator: "Exists" as const, effect: "NoSchedule" as const }]
          : []),
        ...(scheduling?.tolerations ?? []).toReversed().map((one) => ({ ...one, operator: one.operator ?? "Equal" })),
      ],
      topologySpread: (scheduling?.topologySpread ?? [])
        .toReversed()
        .map((one) => ({ ...one, maxSkew: one.maxSkew ?? 1 })),
    },
  };
};

test("a default that is written out, another spelling and another order are no other spec", () => {
  fc.assert(
    fc.property(anyRevision, (spec) => {
      assert.equal(canonical(writtenOut(spec)), canonical(spec), JSON.stringify(spec));
    }),
    { numRuns: 500 },
  );
});

/** Whatever JSON says, and fields without a value beside it, which it does not. */
const { anyValue } = fc.letrec<{ anyValue: unknown }>((tie) => ({
  anyValue: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(null, true, false, 0, 1, "", "a"),
    fc.array(tie("anyValue"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "constructor", "1"), fc.oneof(tie("anyValue"), fc.constant(undefined))),
  ),
}));

test("two values are the same JSON where both are spelt the same in key order", () => {
  const isSpeltSame = (one: unknown, other: unknown): boolean => sortedJson(one) === sortedJson(other);
  let same = 0;
  fc.assert(
    fc.property(anyValue, anyValue, (one, other) => {
      if (isSpeltSame(one, other)) same++;
      assert.equal(isSameJson(one, other), isSpeltSame(one, other));
      assert.equal(isSameJson(one, JSON.parse(sortedJson(one))), true);
    }),
    { numRuns: 2000 },
  );
  assert.ok(same > 0, "some of two made-up values are the same");
});
