/** The world that main.ts has entered, for a test file, and what the files share. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before } from "node:test";
import { endAllInside } from "../world/client.ts";
import { joinWorld, ROOT, type World } from "../world/index.ts";

/**
 * Joins the world before the file's tests, in a namespace of the file's own, which is deleted after them.
 * The functions that it returns may be called inside tests only.
 */
export const useWorld = (namespace: string): { world: () => World; namespace: string } => {
  let joined: World | undefined;
  before(async () => {
    const handle = process.env.BERTH_WORLD;
    if (handle === undefined) throw new Error("these tests need a cluster: run them with npm run test:cluster");
    joined = await joinWorld(handle);
    await joined.namespace(namespace);
  });
  after(async () => {
    await endAllInside();
    await joined?.cluster.kubectl(["delete", "namespace", namespace, "--wait=false"]);
  });
  return {
    namespace,
    world: () => {
      if (joined === undefined) throw new Error("world() before the tests have begun");
      return joined;
    },
  };
};

export const example = (name: string): Promise<string> => readFile(join(ROOT, "examples", `${name}.yaml`), "utf8");

export const ANGLE = "http://models.berth-models.svc:8080/angle.onnx";

/** A ModelDeployment of the small angle classifier on the CPU; `spec` replaces what differs. */
export const modelDeployment = (name: string, spec: Record<string, unknown> = {}): object => ({
  apiVersion: "berth.dev/v1alpha1",
  kind: "ModelDeployment",
  metadata: { name },
  spec: { model: { uri: ANGLE }, ...spec },
});
