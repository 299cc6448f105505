import { KubeError } from "./errors.ts";
import type { KubeObject, Resource } from "./objects.ts";

type Query = Record<string, string | number | boolean | undefined>;
type Address = { namespace?: string | undefined; name?: string; subresource?: string | undefined };

/** The URL path of a collection, an object or a subresource. Without a namespace: the collection of all namespaces. */
export const pathOf = <T extends KubeObject>(resource: Resource<T>, address: Address, query: Query = {}): string => {
  const { namespace, name, subresource } = address;
  const root = resource.apiVersion.includes("/") ? `/apis/${resource.apiVersion}` : `/api/${resource.apiVersion}`;
  const parts = [root];
  if (resource.namespaced && namespace) parts.push("namespaces", encodeURIComponent(namespace));
  parts.push(resource.plural);
  if (name !== undefined) parts.push(encodeURIComponent(name));
  if (subresource !== undefined) parts.push(subresource);

  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, String(value));
  return parameters.size === 0 ? parts.join("/") : `${parts.join("/")}?${parameters}`;
};

/** `apply Deployment default/digits`, for messages. */
export const describe = (
  verb: string,
  resource: { kind: string },
  { namespace, name, subresource }: Address = {},
): string => {
  const object = [namespace, name].filter(Boolean).join("/");
  return [verb, subresource ? `${resource.kind}/${subresource}` : resource.kind, object].filter(Boolean).join(" ");
};

/** A single namespaced object cannot be addressed without its namespace. */
export const requireNamespace = (operation: string, resource: Resource<KubeObject>, namespace?: string): void => {
  if (!resource.namespaced || namespace) return;
  throw new KubeError(`${operation}: metadata.namespace is missing`, { kind: "terminal", reason: "NoNamespace" });
};
