import type { Client } from "./client.ts";
import { decode, decodeList } from "./decode.ts";
import { encode } from "./encode.ts";
import { describe, pathOf, requireNamespace } from "./paths.ts";
import type { RateLimit } from "./rate-limit.ts";
import { createRawClient } from "./raw-client.ts";
import type { Transport } from "./transport.ts";

export type ClientOptions = {
  /** Bounds each try. The API server gives up on a request after 60 s; one that took half of that is lost. Default 30 000. */
  timeoutMs?: number;
  /** How often a request is sent that the server refuses with a Retry-After. Default 4. */
  tries?: number;
  /** Requests above it wait. Default: none. */
  limit?: RateLimit;
  /** Whose connections are used: a list that a watch follows leaves that the one which it has opened. Default `request`. */
  purpose?: "request" | "watch";
};

const JSON_BODY = { "content-type": "application/json" };
const MERGE_BODY = { "content-type": "application/merge-patch+json" };
/** JSON is YAML: this is server-side apply's only content type that every supported API server knows. */
const APPLY_BODY = { "content-type": "application/apply-patch+yaml" };

export const createClient = (
  transport: Transport,
  { timeoutMs = 30_000, tries = 4, limit, purpose = "request" }: ClientOptions = {},
): Client => {
  const call = createRawClient(transport, timeoutMs, tries, limit, purpose);
  return {
    async get(resource, key, signal) {
      const operation = describe("get", resource, key);
      requireNamespace(operation, resource, key.namespace);
      return decode(operation, resource, await call({ operation, method: "GET", path: pathOf(resource, key), signal }));
    },

    async list(resource, options = {}, signal) {
      const { isLean, namespace, ...query } = options;
      const operation = describe("list", resource, { namespace });
      const path = pathOf(resource, { namespace }, query);
      return decodeList(operation, resource, await call({ operation, method: "GET", path, signal, isLean }));
    },

    async each(resource, options, visit, signal) {
      const { isLean: _lean, namespace, ...query } = options;
      const operation = describe("list", resource, { namespace });
      const path = pathOf(resource, { namespace }, query);
      const item = (value: unknown) => visit(decode(operation, resource, value));
      const { items: _, ...listed } = decodeList(
        operation,
        resource,
        await call({ operation, method: "GET", path, signal, item }),
      );
      return listed;
    },

    async create(resource, object, { fieldManager, subresource, signal }) {
      const { namespace, name } = object.metadata;
      const operation = describe("create", resource, { namespace, name, subresource });
      requireNamespace(operation, resource, namespace);
      // A subresource is posted to its object, an object to its collection.
      const path = pathOf(resource, subresource ? { namespace, name, subresource } : { namespace }, { fieldManager });
      const body = encode(object);
      const sent = { operation, method: "POST", path, headers: JSON_BODY, body, signal } as const;
      return decode(operation, resource, await call(sent));
    },

    async apply(resource, object, { fieldManager, subresource, signal }) {
      const { namespace, name } = object.metadata;
      const operation = describe("apply", resource, { namespace, name, subresource });
      requireNamespace(operation, resource, namespace);
      const path = pathOf(resource, { namespace, name, subresource }, { fieldManager, force: true });
      const body = encode(object);
      const sent = { operation, method: "PATCH", path, headers: APPLY_BODY, body, signal } as const;
      return decode(operation, resource, await call(sent));
    },

    async patch(resource, object, { fieldManager, subresource, signal }) {
      const { namespace, name } = object.metadata;
      const operation = describe("patch", resource, { namespace, name, subresource });
      requireNamespace(operation, resource, namespace);
      const path = pathOf(resource, { namespace, name, subresource }, { fieldManager });
      const sent = { operation, method: "PATCH", path, headers: MERGE_BODY, body: encode(object), signal } as const;
      return decode(operation, resource, await call(sent));
    },

    async delete(resource, key, { uid, resourceVersion, propagationPolicy = "Background", signal } = {}) {
      const operation = describe("delete", resource, key);
      requireNamespace(operation, resource, key.namespace);
      const body = encode({
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy,
        preconditions: { uid, resourceVersion },
      });
      await call({ operation, method: "DELETE", path: pathOf(resource, key), headers: JSON_BODY, body, signal });
    },
  };
};
