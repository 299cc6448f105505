import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import type { ModelDeployment } from "./api/v1alpha1/index.ts";
import { besideOthers, createLook, firstOfOthers, type Look, WATCHED_ANNOTATION } from "./neighbours.ts";
import { KubeError } from "./platform/kube/errors.ts";
import type { KubeObject, Lease } from "./platform/kube/objects.ts";

const signal = new AbortController().signal;

/** A cluster with one lease, `berth-a/lease`, as it is at the moment. */
const leasing = () => {
  const at = { now: 0, asked: 0, lease: undefined as Lease | KubeError | undefined };
  const get = async <T extends KubeObject>(): Promise<T> => {
    at.asked++;
    if (at.lease === undefined) throw new KubeError("no lease", { kind: "notFound", reason: "NotFound", status: 404 });
    if (at.lease instanceof KubeError) throw at.lease;
    return JSON.parse(JSON.stringify(at.lease));
  };
  const look = createLook({ get }, () => at.now);
  const renewed = (resourceVersion: string, watched = "", holderIdentity = "pod"): Lease => ({
    ...{ apiVersion: "coordination.k8s.io/v1", kind: "Lease" },
    metadata: { name: "lease", resourceVersion, annotations: { [WATCHED_ANNOTATION]: watched } },
    spec: { holderIdentity, leaseDurationSeconds: 15 },
  });
  return { at, renewed, look: (namespace = "a") => look("berth-a/lease", namespace, signal) };
};

test("an operator is there while its lease is written, and not where it does not look", async () => {
  const { at, look, renewed } = leasing();
  for (let version = 1; version < 20; version++) {
    at.lease = renewed(String(version));
    assert.equal(await look(), "there");
    at.now += 15_000;
  }
  at.lease = renewed("20", "b,c");
  assert.deepEqual([await look("a"), await look("b")], ["gone", "there"]);
});

test("it is gone when its lease is, or when nobody has written to it for longer than an upgrade takes", async () => {
  const { at, look, renewed } = leasing();
  assert.equal(await look(), "gone");
  // Given up: the next pod takes it in a moment.
  at.lease = renewed("1", "", "");
  at.now = 10_000;
  assert.equal(await look(), "there");
  at.now = 99_000;
  assert.equal(await look(), "there");
  at.now = 105_000;
  assert.equal(await look(), "gone");
  at.lease = renewed("2");
  at.now = 110_000;
  assert.equal(await look(), "there");
});

test("a lease that may not be read hides whether it is; another error is thrown, and the lease is not read for each object", async () => {
  const { at, look } = leasing();
  at.lease = new KubeError("forbidden", { kind: "terminal", reason: "Forbidden", status: 403 });
  assert.deepEqual([await look(), await look(), at.asked], ["hidden", "hidden", 1]);
  at.lease = new KubeError("down", { kind: "retryable", reason: "Down", status: 503 });
  at.now = 5_000;
  await assert.rejects(look(), /down/);
});

test("what names no lease is nobody, and nothing is asked", async () => {
  const { at } = leasing();
  const never = { get: () => assert.fail("asked") };
  for (const nobody of ["", "/", "a", "a/", "/b"])
    assert.equal(await createLook(never, () => at.now)(nobody, "a", signal), "gone");
});

const model = (name: string, operator?: string, namespace = "a"): ModelDeployment => ({
  ...{ apiVersion: "berth.dev/v1alpha1", kind: "ModelDeployment", metadata: { name, namespace } },
  spec: { model: { uri: "https://models.example.com/digits.onnx" } },
  status: { observedGeneration: 1, ...(operator === undefined ? {} : { operator }) },
});

const context = { log: pino({ level: "silent" }), reconcileID: "1", signal };

const releases = (self: string, look: Look, ...objects: ModelDeployment[]) => {
  const done: string[] = [];
  const notes: string[] = [];
  const reconcile = async ({ name }: { name: string }) => {
    done.push(name);
    return {};
  };
  const beside = {
    ...{ self, look },
    modelDeployments: {
      get: ({ name }: { name: string }) => objects.find((object) => object.metadata.name === name),
      list: () => objects,
    },
    events: {
      event: (_: unknown, __: unknown, reason: string, ___: unknown, note: string) =>
        void notes.push(`${reason}: ${note}`),
    },
  };
  return { done, notes, models: besideOthers(reconcile, beside), routers: firstOfOthers(reconcile, beside) };
};

test("what another operator serves is left alone, and that is said once; the rest is ours", async () => {
  const there: Look = async () => "there";
  const { done, models, notes } = releases("b/b", there, model("theirs", "a/a"), model("ours", "b/b"), model("new"));
  for (const name of ["theirs", "ours", "new", "deleted", "theirs"]) await models({ namespace: "a", name }, context);
  assert.deepEqual(done, ["ours", "new", "deleted"]);
  assert.equal(notes.length, 1);
  assert.match(notes[0] ?? "", /^ManagedElsewhere: operator a\/a serves .* b\/b, .* \(watchNamespaces/);
  assert.deepEqual(await models({ namespace: "a", name: "theirs" }, context), { requeueAfterMs: 20_000 });
});

test("what another has left is taken over; where that cannot be seen, the event says how", async () => {
  const gone = releases("b/b", async () => "gone", model("theirs", "a/a"));
  await gone.models({ namespace: "a", name: "theirs" }, context);
  assert.deepEqual([gone.done, gone.notes], [["theirs"], []]);
  const hidden = releases("b/b", async () => "hidden", model("theirs", "a/a"));
  await hidden.models({ namespace: "a", name: "theirs" }, context);
  assert.deepEqual(hidden.done, []);
  assert.match(hidden.notes[0] ?? "", /kubectl patch mdeploy theirs -n a --subresource=status/);
});

test("of several that serve somebody in a namespace exactly one looks after its router", async () => {
  const presences = ["there", "hidden", "gone"] as const;
  const all = [undefined, "a/a", "b/b", "c/c"];
  for (const presence of presences)
    for (const one of all)
      for (const other of all) {
        const objects = [model("one", one), model("other", other), model("elsewhere", "a/a", "elsewhere")];
        const owners = new Set([one, other].filter((owner) => owner !== undefined));
        const looks: Look = async (operator) => (operator === "c/c" ? presence : "there");
        const looking: string[] = [];
        for (const self of ["a/a", "b/b", "c/c"]) {
          if (!owners.has(self)) continue;
          const { done, routers } = releases(self, looks, ...objects);
          await routers({ namespace: "a", name: "berth-router" }, context);
          if (done.length > 0) looking.push(self);
        }
        if (owners.size === 0 || objects.some(({ status }) => status?.operator === undefined)) continue;
        assert.deepEqual(looking, [[...owners].sort()[0]], `${one} ${other} ${presence}`);
      }
});
