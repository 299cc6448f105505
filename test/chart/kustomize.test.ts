/** docs/kustomize/berth.yaml, by the real kustomize: what a prefix renames is still found by what names it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { dump, load, loadAll } from "js-yaml";
import { z } from "zod";
import { modelDeploymentCrd } from "../../operator/api/v1alpha1/crd.ts";
import type { JsonSchema } from "../../operator/api/v1alpha1/structural.ts";
import { helmPath } from "./render.ts";

const CONFIGURATION = "docs/kustomize/berth.yaml";

const object = (apiVersion: string, kind: string, name: string, rest: object = {}) => ({
  ...{ apiVersion, kind, metadata: { name } },
  ...rest,
});
const hpa = { spec: { scaleTargetRef: { apiVersion: "berth.dev/v1alpha1", kind: "ModelDeployment", name: "digits" } } };
const resources = [
  object("v1", "ServiceAccount", "runner"),
  object("v1", "Secret", "pull"),
  object("v1", "Secret", "token"),
  object("resource.k8s.io/v1", "ResourceClaim", "one-claim"),
  object("resource.k8s.io/v1", "ResourceClaimTemplate", "one-template"),
  object("scheduling.k8s.io/v1", "PriorityClass", "high", { value: 1 }),
  object("node.k8s.io/v1", "RuntimeClass", "nvidia", { handler: "nvidia" }),
  object("kueue.x-k8s.io/v1beta1", "LocalQueue", "queue"),
  object("autoscaling/v2", "HorizontalPodAutoscaler", "scale", hpa),
  object("keda.sh/v1alpha1", "ScaledObject", "keda", hpa),
  object("berth.dev/v1alpha1", "ModelDeployment", "digits", {
    spec: {
      model: {
        uri: "https://models.example.com/digits.onnx",
        caBundle: { configMapName: "authority" },
        credentials: { secretName: "token" },
      },
      accelerator: {
        claims: [
          { name: "one", resourceClaimName: "one-claim" },
          { name: "two", resourceClaimTemplateName: "one-template" },
        ],
      },
      scheduling: { priorityClassName: "high", runtimeClassName: "nvidia", queueName: "queue" },
      serviceAccountName: "runner",
      imagePullSecrets: [{ name: "pull" }],
    },
  }),
];
const kustomization = {
  ...{ apiVersion: "kustomize.config.k8s.io/v1beta1", kind: "Kustomization" },
  ...{ namePrefix: "eu-", resources: ["resources.yaml"], configurations: ["berth.yaml"] },
  configMapGenerator: [{ name: "authority", literals: ["ca.crt=x"] }],
  replicas: [{ name: "digits", count: 3 }],
};

const folder = await mkdtemp(join(tmpdir(), "berth-kustomize-"));
after(() => rm(folder, { recursive: true }));

const Built = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({}).optional(),
});

const built = async () => {
  await copyFile(CONFIGURATION, join(folder, "berth.yaml"));
  await writeFile(join(folder, "kustomization.yaml"), dump(kustomization));
  await writeFile(join(folder, "resources.yaml"), resources.map((one) => dump(one)).join("---\n"));
  return await builtFrom(folder);
};

const builtFrom = async (from: string) => {
  const kubectl = join(dirname(helmPath()), "kubectl");
  const { stdout } = await promisify(execFile)(kubectl, ["kustomize", from], { maxBuffer: 16 << 20 });
  return loadAll(stdout).map((one) => Built.parse(one));
};

test("a prefix, a generator's hash and a number of replicas reach every field that names another object", async () => {
  const objects = await built();
  const specOf = (kind: string) => objects.find((one) => one.kind === kind)?.spec;
  const authority = objects.find((one) => one.kind === "ConfigMap")?.metadata.name ?? "";
  assert.match(authority, /^eu-authority-[a-z0-9]+$/);
  assert.deepEqual(specOf("ModelDeployment"), {
    model: {
      uri: "https://models.example.com/digits.onnx",
      caBundle: { configMapName: authority },
      credentials: { secretName: "eu-token" },
    },
    accelerator: {
      claims: [
        { name: "one", resourceClaimName: "eu-one-claim" },
        { name: "two", resourceClaimTemplateName: "eu-one-template" },
      ],
    },
    replicas: 3,
    scheduling: { priorityClassName: "eu-high", runtimeClassName: "eu-nvidia", queueName: "eu-queue" },
    serviceAccountName: "eu-runner",
    imagePullSecrets: [{ name: "eu-pull" }],
  });
  const scaled = { scaleTargetRef: { ...hpa.spec.scaleTargetRef, name: "eu-digits" } };
  assert.deepEqual([specOf("HorizontalPodAutoscaler"), specOf("ScaledObject")], [scaled, scaled]);
});

const Operator = z.looseObject({
  template: z.looseObject({
    spec: z.looseObject({ containers: z.tuple([z.looseObject({ image: z.string(), args: z.array(z.string()) })]) }),
  }),
});

test("config/ in another namespace, with a prefix and an image of one's own: the operator is told its role's new name", async () => {
  await cp("config", join(folder, "config"), { recursive: true });
  const overlay = join(folder, "overlay");
  await mkdir(overlay);
  const other = { namePrefix: "eu-", namespace: "other", resources: ["../config"] };
  const images = [{ name: "localhost/berth-operator", newName: "registry.example.com/operator", newTag: "v2" }];
  await writeFile(join(overlay, "kustomization.yaml"), dump({ ...other, images }));
  const objects = await builtFrom(overlay);
  const roles = objects.filter(({ kind }) => kind === "ClusterRole").map(({ metadata }) => metadata.name);
  const { image, args } = Operator.parse(objects.find(({ kind }) => kind === "Deployment")?.spec).template.spec
    .containers[0];
  assert.equal(image, "registry.example.com/operator:v2");
  const role = args[args.indexOf("--router-cluster-role") + 1] ?? "";
  assert.match(role, /^eu-berth-operator-router/);
  assert.ok(roles.includes(role), `${role} is none of ${roles.join(", ")}`);
});

/** The paths of fields that name an object (resourceName names a device), as kustomize writes them: without the lists' brackets. */
const namingFields = (schema: JsonSchema, path = ""): string[] =>
  Object.entries(schema.items?.properties ?? schema.properties ?? {}).flatMap(([name, child]) => {
    const field = path === "" ? name : `${path}/${name}`;
    const isName = child.type === "string" && (/(?<!resource)Name$/.test(name) || /(Secrets|Ref)\/name$/.test(field));
    return [...(isName ? [field] : []), ...namingFields(child, field)];
  });

const Configuration = z.looseObject({
  nameReference: z.array(z.looseObject({ fieldSpecs: z.array(z.looseObject({ kind: z.string(), path: z.string() })) })),
});

test("every field of the schema that names an object is in the file", async () => {
  const { nameReference } = Configuration.parse(load(await readFile(CONFIGURATION, "utf8")));
  const known = nameReference
    .flatMap(({ fieldSpecs }) => fieldSpecs)
    .flatMap(({ kind, path }) => (kind === "ModelDeployment" ? [path] : []));
  const spec = modelDeploymentCrd().spec.versions[0]?.schema.openAPIV3Schema.properties?.spec;
  assert.deepEqual(namingFields(spec ?? {}, "spec").sort(), known.sort());
});
