/** Made-up nodes with pods on them, and a pod for each that may or may not fit: what the scheduler and Berth are asked about. */
import fc from "fast-check";
import type { Node, Pod } from "../../operator/platform/kube/objects.ts";

type PodSpec = NonNullable<Pod["spec"]>;
type Container = PodSpec["containers"][number];
type Toleration = NonNullable<PodSpec["tolerations"]>[number];
type Taint = NonNullable<NonNullable<Node["spec"]>["taints"]>[number];
type Expression = { key: string; operator: string; values?: string[] };
type Requests = Record<string, string>;

export type Sitting = { spec: PodSpec; phase: string; resize: Resize | undefined };
export type Resize = { infeasible: boolean; resources: Requests; allocated: Requests };
export type Case = {
  allocatable: Requests;
  labels: Record<string, string>;
  taints: Taint[];
  unschedulable: boolean;
  sitting: Sitting[];
  /** Without what binds it to the node. */
  coming: PodSpec;
};

const WIDGET = "example.com/widget";

/** In one of so many. */
const seldom = <T>(arbitrary: fc.Arbitrary<T>, oneOf: number): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: oneOf - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

/** Thousandths of a core, and mebibytes, that a container asks for at most. */
const SMALL = 300;

/** Thousandths of a core, in some spelling. */
const cores = (min: number, max: number): fc.Arbitrary<string> =>
  fc.tuple(fc.integer({ min, max }), fc.nat({ max: 4 }), fc.constantFrom(0, 0, 1, 999)).map(([milli, how, micro]) => {
    const exact = [`${milli}m`, String(milli / 1000), `${milli}e-3`, `${milli}E-3`, `${milli * 1000}u`][how];
    return micro === 0 ? (exact ?? "") : `${milli * 1000 + micro}u`;
  });

const MI = 2 ** 20;
/** Mebibytes, in some spelling. */
const bytes = (min: number, max: number): fc.Arbitrary<string> =>
  fc
    .tuple(fc.integer({ min, max }), fc.nat({ max: 4 }))
    .map(
      ([mi, how]) => [`${mi}Mi`, String(mi * MI), `${mi * MI}e0`, `${mi / 1024}Gi`, `${mi * MI * 1000}m`][how] ?? "",
    );

const requests = (most: number): fc.Arbitrary<Requests> =>
  fc
    .record(
      {
        // of small ones, what is rounded decides
        cpu: fc.oneof(cores(1, most), cores(1, 4)),
        memory: bytes(1, most),
        "ephemeral-storage": bytes(1, most),
        [WIDGET]: fc.integer({ min: 0, max: 2 }).map(String),
      },
      { requiredKeys: [] },
    )
    .map((one): Requests => ({ ...one }));

/** Extended resources have limits, and the same ones. */
const container = (name: string, asked: Requests, restartPolicy?: string): Container => ({
  name,
  image: "example.com/nothing:1",
  resources: { requests: asked, ...(asked[WIDGET] === undefined ? {} : { limits: { [WIDGET]: asked[WIDGET] } }) },
  ...(restartPolicy === undefined ? {} : { restartPolicy }),
});

const podSpec = (most: number): fc.Arbitrary<PodSpec> =>
  fc
    .record({
      containers: fc.array(requests(most), { minLength: 1, maxLength: 2 }),
      initial: fc.array(fc.tuple(requests(most * 2), fc.boolean()), { maxLength: 2 }),
      // at least what its containers ask for together, which the API server demands
      whole: seldom(fc.record({ cpu: cores(most * 12, most * 16), memory: bytes(most * 12, most * 16) }), 5),
      isHeavy: fc.boolean(),
    })
    .map(({ containers, initial, isHeavy, whole }) => ({
      containers: containers.map((asked, at) => container(`c${at}`, asked)),
      initContainers: initial.map(([asked, isSidecar], at) =>
        container(`i${at}`, asked, isSidecar ? "Always" : undefined),
      ),
      ...(whole === undefined ? {} : { resources: { requests: whole } }),
      ...(isHeavy ? { runtimeClassName: "heavy" } : {}),
    }));

const resize = (most: number): fc.Arbitrary<Resize> => {
  const held = fc.record({ cpu: cores(1, most * 3), memory: bytes(1, most * 3) }, { requiredKeys: [] });
  return fc
    .record({ infeasible: fc.boolean(), resources: held, allocated: held })
    .map(({ allocated, infeasible, resources }) => ({
      infeasible,
      resources: { ...resources },
      allocated: { ...allocated },
    }));
};

const sitting: fc.Arbitrary<Sitting> = fc.record({
  spec: podSpec(SMALL),
  phase: fc.constantFrom("Pending", "Running", "Running", "Running", "Succeeded", "Failed"),
  resize: seldom(resize(SMALL), 2),
});

const KEYS = ["room/a", "room/b"];
const VALUES = ["", "1", "30", "x"];
const taint: fc.Arbitrary<Taint> = fc.record({
  key: fc.constantFrom(...KEYS),
  value: fc.constantFrom(...VALUES),
  effect: fc.constantFrom("NoSchedule", "NoSchedule", "PreferNoSchedule", "NoExecute"),
});
const toleration: fc.Arbitrary<Toleration> = fc.oneof(
  fc.constant({ operator: "Exists" }),
  fc.record({ key: fc.constantFrom(...KEYS), operator: fc.constant("Exists") }),
  fc.record({
    key: fc.constantFrom(...KEYS),
    operator: fc.constant("Equal"),
    value: fc.constantFrom(...VALUES),
    effect: fc.constantFrom("NoSchedule", "NoExecute"),
  }),
  fc.record({ key: fc.constant("node.kubernetes.io/unschedulable"), operator: fc.constant("Exists") }),
);

const NUMBERS = ["1", "30", "9007199254740992", "9007199254740993", "9223372036854775807"];
const LABELS = ["room-size", "constructor"];
const expression: fc.Arbitrary<Expression> = fc.oneof(
  fc.record({ key: fc.constantFrom(...LABELS), operator: fc.constantFrom("Exists", "DoesNotExist") }),
  fc.record({
    key: fc.constantFrom(...LABELS),
    operator: fc.constantFrom("In", "NotIn"),
    values: fc.subarray(NUMBERS, { minLength: 1 }),
  }),
  fc.record({
    key: fc.constantFrom(...LABELS),
    operator: fc.constantFrom("Gt", "Lt"),
    values: fc.constantFrom(...NUMBERS).map((value) => [value]),
  }),
);

const NONE: fc.Arbitrary<Expression[]> = fc.constant([]);

const coming = fc
  .record({
    spec: podSpec(SMALL),
    tolerations: fc.array(toleration, { maxLength: 3 }),
    terms: fc.array(fc.oneof(NONE, NONE, fc.array(expression, { maxLength: 2 })), {
      minLength: 1,
      maxLength: 2,
    }),
    selected: seldom(fc.constantFrom(...NUMBERS), 12),
  })
  .map(
    ({ selected, spec, terms, tolerations }): PodSpec => ({
      ...spec,
      tolerations,
      ...(selected === undefined ? {} : { nodeSelector: { "room-size": selected } }),
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: terms.map((matchExpressions) => ({ matchExpressions })),
          },
        },
      },
    }),
  );

export const anyCase: fc.Arbitrary<Case> = fc.record({
  allocatable: fc
    .record({
      cpu: fc.oneof({ weight: 4, arbitrary: cores(500, 12_000) }, { weight: 1, arbitrary: cores(2, 24) }),
      memory: bytes(500, 12_000),
      "ephemeral-storage": bytes(500, 12_000),
      pods: fc.integer({ min: 2, max: 9 }).map(String),
      [WIDGET]: fc.integer({ min: 0, max: 25 }).map(String),
    })
    .map((one): Requests => ({ ...one })),
  labels: fc
    .record(
      { "room-size": fc.constantFrom(...NUMBERS), constructor: fc.constantFrom(...NUMBERS) },
      { requiredKeys: [] },
    )
    .map((one): Record<string, string> => ({ ...one })),
  taints: fc.uniqueArray(taint, { maxLength: 2, selector: ({ effect, key }) => `${key}:${effect}` }),
  unschedulable: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
  sitting: fc.array(sitting, { maxLength: 3 }),
  coming,
});
