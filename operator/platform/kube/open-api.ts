import { errorFromStatus, errorWithoutAnswer, KubeError } from "./errors.ts";
import { isRecord } from "./json.ts";
import { startDeadline } from "./raw-client.ts";
import type { Schema } from "./schema.ts";
import type { Transport } from "./transport.ts";

/** What the API server serves of a group and version: the schema of each kind. Whoever is authenticated may read it. */
export type Served = { etag: string | undefined; kinds: ReadonlyMap<string, Schema> };

/** Resolves to undefined while it is what `etag` says. Rejects with a `KubeError`, of kind `notFound` where nothing of the group is served. */
export type ReadServed = (etag?: string) => Promise<Served | undefined>;

const TIMEOUT_MS = 20_000;

/** @param apiVersion such as `berth.dev/v1alpha1` */
export const createReadServed =
  (transport: Transport, apiVersion: string): ReadServed =>
  async (etag) => {
    const operation = `get the schema of ${apiVersion}`;
    const deadline = startDeadline(TIMEOUT_MS);
    try {
      const response = await transport.send({
        method: "GET",
        path: `/openapi/v3/apis/${apiVersion}`,
        headers: etag === undefined ? {} : { "if-none-match": etag },
        purpose: "request",
        signal: deadline.signal,
      });
      const { statusCode: status, headers } = response;
      if (status === 304) {
        await response.body.dump();
        return undefined;
      }
      if (status !== 200) throw errorFromStatus(operation, status, await response.body.json().catch(() => undefined));
      const tag = headers.etag;
      return {
        etag: typeof tag === "string" ? tag : undefined,
        kinds: kindsOf(await response.body.json(), apiVersion),
      };
    } catch (error) {
      if (error instanceof KubeError) throw error;
      throw errorWithoutAnswer(operation, deadline.reason() ?? "Unreachable", deadline.signal.reason ?? error);
    } finally {
      deadline.stop();
    }
  };

const kindsOf = (document: unknown, apiVersion: string): Map<string, Schema> => {
  const { schemas } = recordOf(recordOf(document).components);
  if (!isRecord(schemas)) throw new Error("the answer has no schemas");
  const found = new Map<string, Schema>();
  for (const one of Object.values(schemas)) {
    const named = recordOf(one)["x-kubernetes-group-version-kind"];
    for (const { group, kind, version } of Array.isArray(named) ? named.map(recordOf) : []) {
      if (typeof kind === "string" && `${group}/${version}` === apiVersion) found.set(kind, schemaOf(one));
    }
  }
  return found;
};

/** By hand: a schema has thousands of parts, and to parse them with zod holds the event loop for too long. */
const schemaOf = (value: unknown): Schema => {
  const { additionalProperties, enum: words, items, properties } = recordOf(value);
  return {
    ...(isRecord(properties) && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, schemaOf(inner)])),
    }),
    ...(isRecord(items) && { items: schemaOf(items) }),
    ...(isRecord(additionalProperties) && { additionalProperties: schemaOf(additionalProperties) }),
    ...(additionalProperties === true && { additionalProperties }),
    ...(Array.isArray(words) && { enum: words }),
  };
};

const recordOf = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {});
