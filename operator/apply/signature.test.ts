import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubeObject } from "../platform/kube/objects.ts";
import { signatureOf, signed, signedForApply, signedForPost } from "./signature.ts";

const metadata = { name: "a", namespace: "default" };
const service = (spec: object, more: object = {}): KubeObject & { spec: object } => ({
  ...{ apiVersion: "v1", kind: "Service", metadata: { ...metadata, ...more }, spec },
});
const port = (name: string, port: number, targetPort: number | string = "http") => ({
  ...{ name, port, protocol: "TCP", targetPort },
});

describe("the signature of an object", () => {
  const before = service({ selector: { app: "a" }, ports: [port("http", 80), port("grpc", 81)] });
  const posted = signedForPost(before);

  it("is the same however it was written", () => {
    assert.equal(signatureOf(posted), signatureOf(signed(before)));
    assert.equal(signatureOf(before), undefined);
  });

  it("does not change with the owners, which come and go", () => {
    const owned = service(before.spec, { ownerReferences: [{ apiVersion: "v1", kind: "X", name: "x", uid: "u" }] });
    assert.equal(
      signedForPost(owned).metadata.annotations?.["berth.dev/applied"],
      posted.metadata.annotations?.["berth.dev/applied"],
    );
  });

  it("is nothing to write while nothing is another", () => {
    const { object, takesOver } = signedForApply(before, posted);
    assert.deepEqual(object, posted);
    assert.equal(takesOver, false);
  });

  const kept: [string, object][] = [
    ["another value", { selector: { app: "b" }, ports: [port("http", 80), port("grpc", 81)] }],
    ["another key of what is one value", { selector: { role: "b" }, ports: [port("http", 80), port("grpc", 81)] }],
    ["another value in an item", { selector: { app: "a" }, ports: [port("http", 80, 9000), port("grpc", 81)] }],
    ["a new field", { type: "ClusterIP", selector: { app: "a" }, ports: [port("http", 80), port("grpc", 81)] }],
    ["another order of items", { selector: { app: "a" }, ports: [port("grpc", 81), port("http", 80)] }],
  ];
  for (const [what, spec] of kept)
    it(`takes nothing over for ${what}`, () => assert.equal(signedForApply(service(spec), posted).takesOver, false));

  const left: [string, KubeObject][] = [
    ["a field", service({ ports: [port("http", 80), port("grpc", 81)] })],
    ["an item", service({ selector: { app: "a" }, ports: [port("http", 80)] })],
    ["an item's key", service({ selector: { app: "a" }, ports: [port("http", 80), port("grpc", 82)] })],
  ];
  for (const [what, after] of left)
    it(`takes over what was posted for the want of ${what}, once`, () => {
      const { object, takesOver } = signedForApply(after, posted);
      assert.equal(takesOver, true);
      assert.equal(signedForApply(before, object).takesOver, false);
    });

  it("remembers what was posted through applies that leave nothing out", () => {
    const wider = service({ ...before.spec, type: "ClusterIP" });
    const { object } = signedForApply(wider, posted);
    assert.equal(signedForApply(before, object).takesOver, false);
    assert.equal(signedForApply(service({ type: "ClusterIP" }), object).takesOver, true);
  });

  it("takes over what an older version has posted without a word", () => {
    assert.equal(signedForApply(before, before).takesOver, true);
  });
});
