/** What Helm prints after an installation, as a reader pastes it into a shell. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { load } from "js-yaml";
import { z } from "zod";
import { specSchema } from "../../operator/api/v1alpha1/spec.ts";
import { CHART, helm, parseManifests } from "./render.ts";

const folder = await mkdtemp(join(tmpdir(), "berth-notes-"));
after(() => rm(folder, { recursive: true }));

const SHOWN = `apiVersion: v1
kind: Shown
metadata: {name: notes}
spec: {{ tpl (.Files.Get "notes.txt") . | toJson }}
`;

/** `helm template` leaves the notes out, so a copy of the chart has them in an object. */
const notesWith = async (...values: string[]): Promise<string> => {
  const chart = join(folder, "berth");
  await cp(CHART, chart, { recursive: true });
  await cp(join(CHART, "templates/NOTES.txt"), join(chart, "notes.txt"));
  await writeFile(join(chart, "templates/shown.yaml"), SHOWN);
  const sets = values.flatMap((value) => ["--set", value]);
  const args = ["--namespace", "berth-system", "--kube-version", "1.30.0", "--show-only", "templates/shown.yaml"];
  return z.string().parse(parseManifests(await helm("template", "berth", chart, ...args, ...sets))[0]?.spec);
};

/** Writes what it is given down, and does nothing. */
const PROGRAM = `#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$TOLD/calls"
[ "$2" = "-f" ] || [ "$4" = "-f" ] && cat > "$TOLD/manifest" || true
`;

for (const [values, flags] of [
  [[], ""],
  [["watchNamespaces={team-a,team-b}"], " -n team-a"],
] as const)
  test(`the commands work as they are printed, ${flags === "" ? "everywhere" : "in a watched namespace"}`, async () => {
    for (const name of ["kubectl", "helm"]) await writeFile(join(folder, name), PROGRAM, { mode: 0o755 });
    await rm(join(folder, "calls"), { force: true });
    const notes = await notesWith(...values);
    // a line of prose ends in a colon, a full stop, or begins a sentence that does
    const commands = notes.split("\n\n").filter((part) => /^ *(helm|kubectl) /.test(part));
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, TOLD: folder };
    const { stderr } = await promisify(execFile)("bash", ["-e", "-c", commands.join("\n")], { env });
    assert.equal(stderr, "");
    assert.deepEqual((await readFile(join(folder, "calls"), "utf8")).trimEnd().split("\n"), [
      "helm test berth --namespace berth-system",
      `kubectl apply${flags} -f -`,
      `kubectl wait${flags} modeldeployment/digits --for=condition=Ready --timeout=5m`,
      `kubectl get mdeploy${flags}`,
      "kubectl label namespace berth-system pod-security.kubernetes.io/enforce=restricted",
    ]);
    const manifest = load(await readFile(join(folder, "manifest"), "utf8"));
    const { kind, spec: applied } = z.looseObject({ kind: z.string(), spec: z.unknown() }).parse(manifest);
    assert.equal(kind, "ModelDeployment");
    specSchema.parse(applied);
  });
