/**
 * A ModelDeployment in a manifest, and its number of pods in somebody else's hands: applied, scaled, applied anew and rolled back by
 * each of the real tools, without a conflict and without a change of the number.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { dump } from "js-yaml";
import { type Appliers, ensureAppliers } from "../appliers/index.ts";
import { helmOf } from "../world/helm.ts";
import { modelDeployment, useWorld } from "./world.ts";

/** `progressDeadline` is a field of no revision: what is changed here starts no pod. */
const model = (name: string, namespace: string, progressDeadline: string): { metadata: object } & object => ({
  ...modelDeployment(name, { scaling: { mode: "external" }, rollout: { progressDeadline } }),
  metadata: { name, namespace },
});

describe("a model in Git, scaled by others", () => {
  const { world, namespace } = useWorld("e2e-gitops");
  let appliers: Appliers;
  let folder = "";
  before(async () => {
    appliers = await ensureAppliers(console.log);
    folder = await mkdtemp(join(tmpdir(), "berth-gitops-"));
  });
  after(() => rm(folder, { recursive: true }));

  const kubectl = async (...args: string[]) => (await world().cluster.kubectl([...args, "-n", namespace])).stdout;
  const field = (name: string, path: string) => kubectl("get", "mdeploy", name, "-o", `jsonpath={${path}}`);
  const both = async (name: string) => [
    await field(name, ".spec.replicas"),
    await field(name, ".spec.rollout.progressDeadline"),
  ];
  const scale = (name: string, replicas: number) => kubectl("scale", `mdeploy/${name}`, `--replicas=${replicas}`);

  const chartOf = async (name: string): Promise<string> => {
    const chart = join(folder, name);
    await mkdir(join(chart, "templates"), { recursive: true });
    await writeFile(join(chart, "Chart.yaml"), dump({ apiVersion: "v2", name, version: "1.0.0" }));
    await writeFile(join(chart, "values.yaml"), dump({ progressDeadline: "5m" }));
    await writeFile(
      join(chart, "templates/model.yaml"),
      dump(model(name, namespace, "{{ .Values.progressDeadline }}")),
    );
    return chart;
  };

  for (const [name, program] of [
    ["helm3", () => world().handle.helm],
    ["helm4", () => appliers.helm4],
  ] as const)
    it(`${name}: install, /scale, upgrade, rollback`, async () => {
      const helm = helmOf(program(), world().cluster.hostKubeconfig);
      const chart = await chartOf(name);
      const into = ["--namespace", namespace];
      await helm(["install", name, chart, ...into]);
      assert.deepEqual(await both(name), ["1", "5m"]);
      await scale(name, 2);
      await helm(["upgrade", name, chart, ...into, "--set", "progressDeadline=6m"]);
      assert.deepEqual(await both(name), ["2", "6m"]);
      await scale(name, 3);
      await helm(["rollback", name, "1", ...into]);
      assert.deepEqual(await both(name), ["3", "5m"]);
      await helm(["uninstall", name, ...into]);
    });

  it("a release of Helm 3 goes on with Helm 4", async () => {
    const [helm3, helm4] = [world().handle.helm, appliers.helm4].map((program) =>
      helmOf(program, world().cluster.hostKubeconfig),
    );
    const chart = await chartOf("moved");
    const into = ["--namespace", namespace];
    await helm3?.(["install", "moved", chart, ...into]);
    await scale("moved", 2);
    await helm4?.(["upgrade", "moved", chart, ...into, "--set", "progressDeadline=6m"]);
    assert.deepEqual(await both("moved"), ["2", "6m"]);
    await helm4?.(["rollback", "moved", "1", ...into]);
    assert.deepEqual(await both("moved"), ["2", "5m"]);
  });

  const flux = (...objects: object[]): Promise<string> =>
    new Promise((resolve, reject) => {
      const env = { ...process.env, KUBECONFIG: world().cluster.hostKubeconfig };
      const child = execFile(appliers.flux, { env }, (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(stderr)),
      );
      child.stdin?.end(JSON.stringify(objects));
    });

  it("Flux leaves the number alone, also where kubectl applied before", async () => {
    await world().apply([model("flux", namespace, "4m")], namespace);
    assert.match(await flux(model("flux", namespace, "5m")), /ModelDeployment\/e2e-gitops\/flux configured/);
    await scale("flux", 2);
    assert.match(await flux(model("flux", namespace, "5m")), /unchanged/);
    await flux(model("flux", namespace, "6m"));
    assert.deepEqual(await both("flux"), ["2", "6m"]);
  });

  it("kubectl leaves the number alone, client-side and server-side", async () => {
    const apply = (deadline: string, ...options: string[]) =>
      world().cluster.kubectl(["apply", ...options, "-f", "-"], {
        input: JSON.stringify(model("plain", namespace, deadline)),
      });
    await apply("5m");
    await scale("plain", 2);
    await apply("6m");
    assert.deepEqual(await both("plain"), ["2", "6m"]);
    await apply("7m", "--server-side");
    await scale("plain", 3);
    await apply("8m", "--server-side");
    assert.deepEqual(await both("plain"), ["3", "8m"]);
  });
});
