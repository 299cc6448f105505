import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { Client } from "../kube/client.ts";
import { isExpired, KubeError } from "../kube/errors.ts";
import type { KubeObject, Resource } from "../kube/objects.ts";
import type { Watch, WatchEvent } from "../kube/watch.ts";
import type { IndexedStore } from "./indexed-store.ts";
import { type Input, type State, start, step } from "./list-watch.ts";
import { trim } from "./trim.ts";

/** Objects per page of a list: what client-go asks for, too. */
const PAGE = 500;

export type Reflector = {
  /** Keeps the store equal to the server's state until the signal; never rejects. */
  run(signal: AbortSignal): Promise<void>;
};

export type ReflectorOptions<T extends KubeObject> = {
  client: Client;
  watch: Watch;
  resource: Resource<T>;
  store: IndexedStore<T>;
  /** Only objects of this namespace; of all, where absent. */
  namespace?: string;
  /** Only objects with these labels; all, where absent. */
  labelSelector?: string;
  /** `managedFields` are not read. */
  isLean: boolean;
  /** Told of every failed list or watch, with the delay before the next try in milliseconds. */
  onFailure(error: KubeError, delayMs: number): void;
};

export const createReflector = <T extends KubeObject>(options: ReflectorOptions<T>): Reflector => ({
  async run(signal) {
    const pages: Pages<T> = { items: [] };
    let state: State = start;
    const advance = (input: Input): void => {
      state = step(state, input, { now: performance.now(), random: Math.random() });
    };
    while (!signal.aborted) {
      try {
        if (state.phase === "waiting") {
          await sleep(state.ms, undefined, { signal }).catch(() => undefined);
          advance({ type: "waited" });
        } else if (state.phase === "listing") {
          advance(await list(options, pages, state.continue, signal));
          // only then is the connection free, which would be made anew for the next page or the watch
          await turn();
        } else advance(await follow(options, state.resourceVersion, advance, signal));
      } catch (thrown) {
        if (signal.aborted) return;
        const error = errorOf(options.resource.kind, thrown);
        advance({ type: "failed", expired: isExpired(error), retryAfterMs: error.retryAfterMs });
        options.onFailure(error, delayOf(state));
      }
    }
  },
});

/** The pages of a list that is not whole yet. */
type Pages<T> = { items: T[] };

const selectorOf = <T extends KubeObject>({ isLean, labelSelector, namespace }: ReflectorOptions<T>) => ({
  isLean,
  ...(namespace === undefined ? {} : { namespace }),
  ...(labelSelector === undefined ? {} : { labelSelector }),
});

/** Reads the page at `token`, the first one where it is undefined; with the last one the store has the list. */
const list = async <T extends KubeObject>(
  options: ReflectorOptions<T>,
  pages: Pages<T>,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Input> => {
  const { client, resource, store } = options;
  if (token === undefined) pages.items = [];
  const query = { ...selectorOf(options), limit: PAGE, ...(token === undefined ? {} : { continue: token }) };
  const { continue: next, items, resourceVersion } = await client.list(resource, query, signal);
  for (const object of items) pages.items.push(trim(object));
  if (next !== undefined) return { type: "page", resourceVersion, continue: next };
  store.replace(pages.items, resourceVersion);
  pages.items = [];
  return { type: "page", resourceVersion };
};

/** Takes in what is watched, until the server ends the watch. */
const follow = async <T extends KubeObject>(
  options: ReflectorOptions<T>,
  from: string,
  advance: (input: Input) => void,
  signal: AbortSignal,
): Promise<Input> => {
  const selector = { ...selectorOf(options), resourceVersion: from };
  for await (const event of options.watch(options.resource, selector, signal)) {
    take(options.store, event);
    advance({ type: "seen", resourceVersion: event.resourceVersion });
  }
  return { type: "ended" };
};

const errorOf = (kind: string, thrown: unknown): KubeError =>
  thrown instanceof KubeError
    ? thrown
    : new KubeError(`watch ${kind}: ${thrown}`, { kind: "retryable", reason: "Unexpected", cause: thrown });

const delayOf = (state: State): number => (state.phase === "waiting" ? state.ms : 0);

const take = <T extends KubeObject>(store: IndexedStore<T>, event: WatchEvent<T>): void => {
  if (event.type === "BOOKMARK") store.advance(event.resourceVersion);
  else if (event.type === "DELETED") store.remove(event.object, event.resourceVersion);
  else store.put(trim(event.object), event.resourceVersion);
};
