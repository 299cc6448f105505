/** `managedFields`, as far as they are of use: who has a say in a pod template, and who has set `spec.replicas`. Pure. */
import { KUBECTL_RESTARTED_ANNOTATION } from "../kube/annotations.ts";
import type { KubeObject } from "../kube/objects.ts";

type Entry = NonNullable<KubeObject["metadata"]["managedFields"]>[number];

/** What is kept of an entry; undefined where nothing is. */
export const fieldOwner = (object: KubeObject, entry: Entry): Entry | undefined => {
  const { fieldsV1, manager = "", operation = "", subresource = "" } = entry;
  const spec = inner(fieldsV1, "f:spec");
  const template = inner(spec, "f:template");
  if (template !== undefined) return isRestart(template) ? undefined : { manager };
  return inner(spec, "f:replicas") === undefined || hasTemplate(object)
    ? undefined
    : { manager, operation, subresource };
};

const RESTART_LEAVES = new Set(
  [".", `f:${KUBECTL_RESTARTED_ANNOTATION}`].map((name) => `f:metadata/f:annotations/${name}`),
);

/** What `kubectl rollout restart` writes, and nothing else: that is no edit. */
const isRestart = (template: unknown): boolean => {
  if (inner(template, "f:spec") !== undefined) return false;
  const leaves = leavesOf(template).filter((path) => path !== "." && path !== "f:metadata/.");
  return leaves.length > 0 && leaves.every((path) => RESTART_LEAVES.has(path));
};

const hasTemplate = (object: object): boolean => inner(inner(object, "spec"), "template") !== undefined;

/** FieldsV1 is a map of maps, as deep as the object. */
const inner = (fields: unknown, name: string): unknown =>
  typeof fields === "object" && fields !== null ? Object.entries(fields).find(([key]) => key === name)?.[1] : undefined;

const leavesOf = (fields: unknown): string[] =>
  (typeof fields === "object" && fields !== null ? Object.entries(fields) : []).flatMap(([name, value]) => {
    const below = leavesOf(value);
    return below.length === 0 ? [name] : below.map((path) => `${name}/${path}`);
  });
