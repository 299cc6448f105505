import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { textInWords } from "../../examples/picture.ts";
import { infer, request } from "../world/client.ts";
import { conditionOf, isReady, isStalled, read, type Seen, waitFor } from "../world/model-deployment.ts";
import {
  ALPHABET_FILE,
  ANGLE_FILE,
  answerHere,
  distance,
  INPUT,
  question,
  RECOGNISER_FILE,
} from "../world/reference.ts";
import { example, useWorld } from "./world.ts";

// The pods' processor may differ from this machine's by more than rounding of the last digit on other clusters.
const TOLERANCE = 1e-5;

describe("the examples", () => {
  const { world, namespace } = useWorld("e2e-examples");

  it("angle: one device for each pod, and onnxruntime's own answers", async () => {
    await world().apply(await example("angle"), namespace);
    const object = await waitFor(world().cluster, { namespace, name: "angle" }, "ready", isReady);
    assert.equal(object.status.phase, "Healthy");
    assert.equal(object.status.stable?.ready, 2);

    const pods = await world().cluster.kubectl([
      ...["get", "pods", "-n", namespace, "-l", "berth.dev/model-deployment=angle"],
      ...["-o", "jsonpath={range .items[*]}{.spec.containers[*].resources.limits.nvidia\\.com/gpu}{'\\n'}{end}"],
    ]);
    assert.equal(pods.stdout, "1\n1\n");

    const { upright, upsideDown } = await question(192);
    const at = { url: object.status.url ?? "", model: "angle" };
    for (const input of [upright, upsideDown]) {
      const answer = await infer(world().cluster, at, input);
      assert.ok(distance(answer, await answerHere(ANGLE_FILE, input)) < TOLERANCE);
    }
  });

  it("recogniser: fetched by https with a checksum and a certificate authority of its own", async () => {
    await world().apply(await example("recogniser"), namespace);
    const object = await waitFor(world().cluster, { namespace, name: "recogniser" }, "ready and pinned", isPinned);
    const { upright } = await question(800);
    const answer = await infer(world().cluster, { url: object.status.url ?? "", model: "recogniser" }, upright);
    assert.ok(distance(answer, await answerHere(RECOGNISER_FILE, upright)) < TOLERANCE);
    const alphabet = (await readFile(ALPHABET_FILE, "utf8")).trimEnd().split("\n");
    assert.equal(textInWords(answer, alphabet), "Region-based segmentation");
  });

  it("too-many-devices: serves what fits and says in one line what waits", async () => {
    await world().apply(await example("too-many-devices"), namespace);
    const object = await waitFor(
      world().cluster,
      { namespace, name: "too-many-devices" },
      "told that devices are missing",
      (seen) => /nvidia\.com\/gpu/.test(seen.status.message ?? ""),
    );
    assert.equal(conditionOf(object, "Ready")?.status === "True", false);
    const capacity = conditionOf(object, "CapacityAvailable");
    assert.deepEqual([capacity?.status, capacity?.reason], ["False", "Unschedulable"]);
    assert.match(capacity?.message ?? "", /nvidia\.com\/gpu/);
    const { stdout } = await world().cluster.kubectl(["get", "mdeploy", "-n", namespace, "too-many-devices"]);
    assert.match(stdout, /nvidia\.com\/gpu/);
    await world().cluster.kubectl(["delete", "mdeploy", "-n", namespace, "too-many-devices"]);
  });

  it("broken: stalled, with the operator that onnxruntime does not know", async () => {
    await world().apply(await example("broken"), namespace);
    const object = await waitFor(world().cluster, { namespace, name: "broken" }, "stalled", isStalled);
    assert.match(object.status.message ?? "", /NoSuchOperator/);
    assert.equal(conditionOf(object, "Stalled")?.reason, "ModelInvalid");
    assert.deepEqual(
      ["ModelLoaded", "CapacityAvailable"].map((type) => conditionOf(object, type)?.reason),
      ["ModelInvalid", "Scheduled"],
    );
  });

  it("answers health and metadata, and one clear error for a bad request", async () => {
    const { status } = await read(world().cluster, namespace, "angle");
    const model = `${status.url}/v2/models/angle`;
    assert.equal((await request(world().cluster, `${status.url}/v2/health/ready`)).status, 200);
    const metadata = JSON.parse((await request(world().cluster, model)).body);
    assert.equal(metadata.inputs[0].name, INPUT);
    assert.deepEqual(metadata.inputs[0].datatype, "FP32");
    const refused = await request(world().cluster, `${model}/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs: [{ name: "y", shape: [1], datatype: "FP32", data: [1] }] }),
    });
    assert.equal(refused.status, 400);
    assert.match(JSON.parse(refused.body).error, /\by\b/);
  });
});

const isPinned = (seen: Seen): boolean =>
  isReady(seen) && /^sha256:[0-9a-f]{64}$/.test(seen.status.stable?.modelDigest ?? "");
