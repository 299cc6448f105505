import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { KubeObject } from "../kube/objects.ts";
import { createIndexedStore } from "./indexed-store.ts";

const object = (name: string, resourceVersion: string, owner?: string, uid = name): KubeObject => {
  const ownerReferences = [
    { apiVersion: "v1", kind: "Owner", name: "o", uid: owner ?? "", controller: owner !== undefined },
  ];
  return { apiVersion: "v1", kind: "Thing", metadata: { namespace: "n", name, uid, resourceVersion, ownerReferences } };
};

const recorded = () => {
  const store = createIndexedStore();
  const told: string[] = [];
  store.subscribe((change) =>
    told.push(`${change.type} ${(change.type === "deleted" ? change.old : change.object).metadata.name}`),
  );
  return { store, told };
};

test("a list replaces all in one step and tells only what differs", () => {
  const { store, told } = recorded();
  assert.equal(store.hasSynced(), false);
  store.replace([object("a", "1"), object("b", "2")], "5");
  assert.deepEqual([store.hasSynced(), store.resourceVersion()], [true, "5"]);
  told.length = 0;
  let sizeWhenTold = 0;
  store.subscribe((change) => {
    if (change.type === "deleted") sizeWhenTold = [...store.list()].length;
  });
  store.replace([object("b", "2"), object("c", "7"), object("d", "8")], "9");
  assert.deepEqual(told, ["deleted a", "added c", "added d"]);
  assert.equal(sizeWhenTold, 3);
});

test("what is read by its key, its owner or its label is frozen all through", () => {
  const store = createIndexedStore("part-of");
  const labelled = (name: string) => {
    const plain = object(name, name, "o");
    return { ...plain, metadata: { ...plain.metadata, labels: { "part-of": "x" } } };
  };
  store.replace([labelled("a"), labelled("b")], "1");
  store.put(labelled("c"), "2");
  const isFrozen = (one: KubeObject | undefined) => Object.isFrozen(one) && Object.isFrozen(one?.metadata.labels);
  assert.ok(isFrozen(store.get({ namespace: "n", name: "a" })));
  assert.ok(store.ownedBy("o").every(isFrozen));
  assert.ok(store.labelled({ namespace: "n", name: "x" }).every(isFrozen));
  assert.equal(store.ownedBy("o").length, 3);
});

test("a new object of an old name is an update that shows both", () => {
  const { store, told } = recorded();
  store.put(object("a", "1", "owner-1", "uid-1"), "1");
  store.replace([object("a", "4", "owner-2", "uid-2")], "4");
  assert.deepEqual(told, ["added a", "updated a"]);
  assert.deepEqual([store.ownedBy("owner-1").length, store.ownedBy("owner-2").length], [0, 1]);
});

test("the owner index follows changes and removals, and only controller owners count", () => {
  const { store } = recorded();
  store.put(object("a", "1", "owner"), "1");
  store.put(object("b", "2", "owner"), "2");
  store.put(object("c", "3"), "3");
  assert.deepEqual(
    store.ownedBy("owner").map(({ metadata }) => metadata.name),
    ["a", "b"],
  );
  store.put(object("a", "4", "other"), "4");
  store.remove(object("b", "5", "owner"), "5");
  assert.deepEqual([store.ownedBy("owner"), store.ownedBy("")], [[], []]);
  assert.equal(store.get({ namespace: "n", name: "b" }), undefined);
  assert.equal(store.resourceVersion(), "5");
});

test("objects are found by the label that the store was made for, in their namespace", () => {
  const store = createIndexedStore("part-of");
  const labelled = (name: string, of: string, namespace = "n"): KubeObject => {
    const plain = object(name, "1");
    return { ...plain, metadata: { ...plain.metadata, namespace, labels: { "part-of": of } } };
  };
  store.replace(
    [labelled("a", "x"), labelled("b", "x"), labelled("c", "y"), labelled("d", "x", "m"), object("e", "1")],
    "1",
  );
  const found = (name: string) => store.labelled({ namespace: "n", name }).map(({ metadata }) => metadata.name);
  assert.deepEqual([found("x"), found("y"), found("z")], [["a", "b"], ["c"], []]);
  store.put({ ...labelled("a", "y"), metadata: { ...labelled("a", "y").metadata, resourceVersion: "2" } }, "2");
  store.remove(labelled("b", "x"), "3");
  assert.deepEqual([found("x"), found("y")], [[], ["c", "a"]]);
});

test("what the first list brings is told as initial, and so is what a late subscriber finds; nothing else", () => {
  const store = createIndexedStore();
  const told: string[] = [];
  const listen = (who: string) =>
    store.subscribe((change) => {
      if (change.type === "added") told.push(`${who} ${change.object.metadata.name} ${change.initial}`);
    });
  listen("early");
  store.replace([object("a", "1")], "1");
  store.put(object("b", "2"), "2");
  store.replace([object("a", "1"), object("b", "2"), object("c", "3")], "3");
  listen("late");
  assert.deepEqual(told, [
    ...["early a true", "early b false", "early c false"],
    ...["late a true", "late b true", "late c true"],
  ]);
});

test("an update that says the same in its spec keeps the one before, where that is asked for", () => {
  for (const keepsSpec of [true, false]) {
    const store = createIndexedStore<KubeObject & { spec: unknown; status: number }>(undefined, keepsSpec);
    const specOf = () => store.get({ namespace: "n", name: "a" })?.spec;
    const put = (version: string, model: string) =>
      store.put({ ...object("a", version), spec: { model: { uri: model } }, status: 1 }, version);
    put("1", "one");
    const first = specOf();
    put("2", "one");
    assert.equal(specOf() === first, keepsSpec);
    assert.equal(store.get({ namespace: "n", name: "a" })?.metadata.resourceVersion, "2");
    put("3", "two");
    assert.deepEqual(specOf(), { model: { uri: "two" } });
    assert.ok(Object.isFrozen(specOf()));
  }
});

test("a late subscriber is told what is there", () => {
  const { store } = recorded();
  store.replace([object("a", "1")], "1");
  const told: string[] = [];
  store.subscribe((change) => told.push(change.type));
  assert.deepEqual(told, ["added"]);
});

test("a listener that throws keeps nothing from the others, and its error is not lost", () => {
  const store = createIndexedStore();
  const told: string[] = [];
  store.subscribe((change) => {
    if (change.type === "added" && change.object.metadata.name === "a") throw new Error("a fault");
  });
  store.subscribe((change) => {
    if (change.type === "added") told.push(change.object.metadata.name);
  });
  assert.throws(() => store.replace([object("a", "1"), object("b", "2")], "2"), /a fault/);
  assert.deepEqual([told, store.resourceVersion()], [["a", "b"], "2"]);
});

test("an answer is here before the watch brings it, once, and nothing older takes its place", () => {
  const { store, told } = recorded();
  store.learn(object("early", "3"));
  assert.deepEqual([...store.list()], [], "before the first list nothing is known");
  store.replace([object("a", "1")], "5");
  told.length = 0;
  store.learn(object("a", "7"));
  store.learn(object("b", "8"));
  assert.ok(store.hasSeen({ namespace: "n", name: "b" }, "8") && !store.hasSeen({ namespace: "n", name: "c" }, "8"));
  store.put(object("a", "6"), "6");
  store.put(object("a", "7"), "7");
  store.put(object("b", "8"), "8");
  assert.deepEqual(told, ["updated a", "added b"]);
  assert.equal(store.resourceVersion(), "8");
  store.remove(object("b", "9"), "9");
  store.learn(object("b", "8"));
  assert.equal(store.get({ namespace: "n", name: "b" }), undefined, "the watch has brought its end already");
});

test("a list from before takes what was learnt back, and its writer waits for the watch", () => {
  const { store } = recorded();
  store.replace([], "5");
  store.learn(object("a", "7"));
  store.replace([], "6");
  assert.equal(store.get({ namespace: "n", name: "a" }), undefined);
  assert.equal(store.hasSeen({ namespace: "n", name: "a" }, "7"), false);
  store.put(object("a", "7"), "7");
  assert.equal(store.hasSeen({ namespace: "n", name: "a" }, "7"), true);
});

test("whenever answers come, the store is never behind them or the watch, and ends as the server", () => {
  const step = fc.record({ name: fc.constantFrom("a", "b"), deletes: fc.boolean(), ours: fc.boolean() });
  const order = fc.array(fc.record({ watch: fc.boolean(), pick: fc.nat() }), { maxLength: 40 });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), order, (steps, turns) => {
      const alive = new Map<string, KubeObject>();
      const events = steps.map(({ name, deletes, ours }, index) => {
        const resourceVersion = String(index + 2);
        const old = alive.get(name);
        const object_ = object(name, resourceVersion, undefined, old?.metadata.uid ?? `${name}${resourceVersion}`);
        const isDeleted = deletes && old !== undefined;
        if (isDeleted) alive.delete(name);
        else alive.set(name, object_);
        return { object: object_, resourceVersion, isDeleted, ours: ours && !isDeleted };
      });
      const { store } = recorded();
      store.replace([], "1");
      const answers = events.filter(({ ours }) => ours);
      const known = new Map<string, number>();
      let watched = 0;
      const watch = () => {
        const event = events[watched++];
        if (event === undefined) return;
        if (event.isDeleted) store.remove(event.object, event.resourceVersion);
        else store.put(event.object, event.resourceVersion);
        note(event.object);
      };
      const note = ({ metadata: { name, resourceVersion } }: KubeObject) =>
        known.set(name, Math.max(known.get(name) ?? 0, Number(resourceVersion)));
      for (const turn of [...turns, ...events.map(() => ({ watch: true, pick: 0 }))]) {
        if (turn.watch) watch();
        else {
          const [answer] = answers.splice(turn.pick % Math.max(1, answers.length), 1);
          if (answer !== undefined) {
            store.learn(answer.object);
            note(answer.object);
          }
        }
        for (const { metadata } of store.list())
          assert.ok(Number(metadata.resourceVersion) >= (known.get(metadata.name) ?? 0));
      }
      for (const { object: late } of answers) store.learn(late);
      assert.deepEqual(new Map([...store.list()].map((one) => [one.metadata.name, one])), alive);
    }),
  );
});
