import { StringDecoder } from "node:string_decoder";
import { decode } from "./decode.ts";
import { errorFromStatus, errorWithoutAnswer, KubeError } from "./errors.ts";
import { isRecord } from "./json.ts";
import { withoutManagedFields } from "./managed-fields.ts";
import type { KubeObject, Resource } from "./objects.ts";
import { describe, pathOf } from "./paths.ts";
import { type After, startDeadline } from "./raw-client.ts";
import type { Transport } from "./transport.ts";

export type WatchEvent<T extends KubeObject> =
  | { type: "ADDED" | "MODIFIED" | "DELETED"; object: T; resourceVersion: string }
  /** Nothing changed up to this resourceVersion: a watch may go on from here. */
  | { type: "BOOKMARK"; resourceVersion: string };

/** `isLean`: without `managedFields`. */
export type WatchOptions = { namespace?: string; labelSelector?: string; resourceVersion: string; isLean?: boolean };

/**
 * Opens a watch. The iteration ends when the server ends it in good order, and rejects with a `KubeError`
 * otherwise: `isExpired` when the resourceVersion is too old, reason `Timeout` when the connection has become silent.
 * A server that has never sent a bookmark may have none to send (it has some of a kind only once something of it has changed since
 * the server's start): there silence ends the watch in good order, and the next one shows whether the server is there.
 */
export type Watch = <T extends KubeObject>(
  resource: Resource<T>,
  options: WatchOptions,
  signal: AbortSignal,
) => AsyncIterable<WatchEvent<T>>;

/** The server ends a watch after this long, so that load spreads and no half-dead connection lasts. */
const SERVER_TIMEOUT_S = 290;
/** The API server sends each watch a bookmark every 60 s and within 3 s of it: silence that long means that the connection is dead. */
const IDLE_TIMEOUT_MS = 75_000;
/** Time to the first header, while the server may still be filling its own cache of the kind. */
const OPEN_TIMEOUT_MS = 30_000;
/** etcd takes objects of 1.5 MiB; a line longer than this is not one. Counted in UTF-16 code units. */
const LONGEST_LINE = 16 * 1024 * 1024;

/** @param later the timers of its deadlines */
export const createWatch = (transport: Transport, later?: After): Watch =>
  async function* watch(resource, { isLean, namespace, labelSelector, resourceVersion }, signal) {
    const operation = describe("watch", resource, { namespace });
    const path = pathOf(
      resource,
      { namespace },
      { watch: true, allowWatchBookmarks: true, timeoutSeconds: SERVER_TIMEOUT_S, labelSelector, resourceVersion },
    );
    const deadline = startDeadline(OPEN_TIMEOUT_MS, signal, later);
    let isOpen = false;
    let hasBookmarks = false;
    try {
      const response = await transport.send({ method: "GET", path, purpose: "watch", signal: deadline.signal });
      if (response.statusCode !== 200) {
        throw errorFromStatus(operation, response.statusCode, await response.body.json().catch(() => undefined));
      }
      isOpen = true;
      deadline.restart(IDLE_TIMEOUT_MS);
      for await (const line of lines(response.body, () => deadline.restart(IDLE_TIMEOUT_MS))) {
        const event = decodeEvent(operation, resource, isLean === true ? withoutManagedFields(line) : line);
        hasBookmarks ||= event.type === "BOOKMARK";
        yield event;
      }
    } catch (error) {
      if (isOpen && !hasBookmarks && deadline.reason() === "Timeout") return;
      if (error instanceof KubeError) throw error;
      throw errorWithoutAnswer(operation, deadline.reason() ?? "Unreachable", deadline.signal.reason ?? error);
    } finally {
      deadline.stop();
    }
  };

/** Splits a stream of bytes into lines; what the connection's end cut off is dropped, the next watch brings it whole. */
async function* lines(body: AsyncIterable<Buffer>, onData: () => void): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const chunk of body) {
    onData();
    const parts = decoder.write(chunk).split("\n");
    rest += parts.shift() ?? "";
    for (const part of parts) {
      if (rest !== "") yield rest;
      rest = part;
    }
    if (rest.length > LONGEST_LINE) throw new Error(`a watch event is longer than ${LONGEST_LINE} characters`);
  }
}

const decodeEvent = <T extends KubeObject>(operation: string, resource: Resource<T>, line: string): WatchEvent<T> => {
  const event: unknown = JSON.parse(line);
  const { type, object } = isRecord(event) ? event : {};
  if (type === "ERROR") {
    const code = isRecord(object) && typeof object.code === "number" ? object.code : 500;
    throw errorFromStatus(operation, code, object);
  }
  if (type === "BOOKMARK") return { type, resourceVersion: versionOf(object) };
  if (type === "ADDED" || type === "MODIFIED" || type === "DELETED") {
    return { type, object: decode(operation, resource, object), resourceVersion: versionOf(object) };
  }
  throw new Error(`an unknown watch event: ${String(type)}`);
};

/** A bookmark is an object of the kind with nothing in it but its resourceVersion. */
const versionOf = (object: unknown): string => {
  const metadata = isRecord(object) && isRecord(object.metadata) ? object.metadata : {};
  if (typeof metadata.resourceVersion === "string") return metadata.resourceVersion;
  throw new Error("a watch event without a resourceVersion");
};
