import assert from "node:assert/strict";
import { it } from "node:test";
import { createWorld } from "../../../test/simulation/world.ts";
import type { Client } from "../kube/client.ts";
import { createEventRecorder } from "./events.ts";

it("events of one namespace wait for each other, and for those of no other", async () => {
  const sent: string[] = [];
  const { promise: mended, resolve: mend } = Promise.withResolvers<void>();
  const apply: Client["apply"] = async (_resource, object, _options) => {
    const { namespace = "", name } = object.metadata;
    if (namespace === "hangs") await mended;
    sent.push(`${namespace}/${name.split(".")[0]}`);
    throw new Error("what becomes of it does not matter");
  };
  const client: Client = { ...createWorld().client, apply };
  const recorder = createEventRecorder({
    ...{ client, reportingController: "c", reportingInstance: "i", clock: () => 0, onFailure: () => undefined },
  });
  const tell = (namespace: string, name: string) => {
    const object = { apiVersion: "v1", kind: "Pod", metadata: { namespace, name, uid: `${namespace}/${name}` } };
    recorder.event(object, "Normal", "Reason", "Act", "note");
  };
  tell("hangs", "one");
  tell("hangs", "two");
  tell("other", "one");
  tell("other", "two");
  while (sent.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sent, ["other/one", "other/two"]);
  mend();
  await recorder.flush();
  assert.deepEqual(sent, ["other/one", "other/two", "hangs/one", "hangs/two"]);
});
