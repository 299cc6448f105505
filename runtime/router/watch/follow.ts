/** Keeps a map of objects equal to what the API server has. What was seen last stays while the server is gone. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { ApiError, type ApiServer } from "./api-server.ts";

export type Follow<T> = {
  api: ApiServer;
  path: string;
  labelSelector?: string;
  /**
   * Undefined: an object that does not matter here. Throws for one that cannot be understood, which is told as a failure.
   * `before`: what was made of it last.
   */
  decode(object: unknown, before: T | undefined): T | undefined;
  /** The objects have changed: now they are these, by name. */
  onChange(objects: ReadonlyMap<string, T>, changed: ReadonlySet<string>): void;
  /** A list or a watch has failed, and is tried again after `delayMs`; or one object cannot be understood (0). */
  onFailure(error: unknown, delayMs: number): void;
  /** In [0, 1). */
  random(): number;
};

/** 0.5 s doubling up to 15 s, less up to a half by chance: routers that all lost one server do not come back together. */
export const backoffMs = (failures: number, random: number): number =>
  Math.min(15_000, 500 * 2 ** Math.min(failures, 10)) * (1 - random / 2);

/** A watch is asked to last so long, in seconds, and up to half as long again. */
const WATCH_SECONDS = 240;

const metaSchema = z.object({ metadata: z.object({ name: z.string().optional(), resourceVersion: z.string() }) });

/** Goes on until the signal; never rejects. */
export const follow = async <T>(options: Follow<T>, signal: AbortSignal): Promise<void> => {
  const { api, decode, onChange, onFailure, path, random } = options;
  const query = options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector };
  let objects = new Map<string, T>();
  /** Undefined: a list is needed. */
  let from: string | undefined;
  let failures = 0;

  /** One that cannot be understood leaves what was known of it, and all others, as it was. */
  const understood = (object: unknown, before: T | undefined): T | undefined => {
    try {
      return decode(object, before);
    } catch (error) {
      onFailure(error, 0);
      return before;
    }
  };
  const list = async (): Promise<string> => {
    const { items, resourceVersion } = await api.list(path, query, signal);
    const before = objects;
    objects = new Map();
    for (const item of items) {
      const { name } = metaSchema.parse(item).metadata;
      if (name === undefined) continue;
      const decoded = understood(item, before.get(name));
      if (decoded !== undefined) objects.set(name, decoded);
    }
    onChange(objects, new Set([...before.keys(), ...objects.keys()]));
    return resourceVersion;
  };
  const watch = async (resourceVersion: string): Promise<void> => {
    const timeoutSeconds = String(Math.round(WATCH_SECONDS * (1 + random() / 2)));
    const asked = { ...query, resourceVersion, timeoutSeconds, allowWatchBookmarks: "true" };
    for await (const { object, type } of api.watch(path, asked, signal)) {
      const { name, resourceVersion: seen } = metaSchema.parse(object).metadata;
      failures = 0;
      from = seen;
      if (type === "BOOKMARK" || name === undefined) continue;
      const decoded = type === "DELETED" ? undefined : understood(object, objects.get(name));
      if (decoded === undefined) objects.delete(name);
      else objects.set(name, decoded);
      onChange(objects, new Set([name]));
    }
  };

  while (!signal.aborted) {
    try {
      from ??= await list();
      await watch(from);
    } catch (error) {
      if (signal.aborted) return;
      // 410: what came since is forgotten there. Whatever else it was, a list puts it right; only for want of an answer the watch goes on.
      if (!(error instanceof ApiError) || error.status !== 0) from = undefined;
      const delayMs = backoffMs(failures++, random());
      onFailure(error, delayMs);
      await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    }
  }
};
