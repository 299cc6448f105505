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
    const { store } = options;
    const { isLean, labelSelector, namespace } = options;
    const selector = {
      isLean,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
    };
    let pages: T[] = [];

    const list = async (token: string | undefined): Promise<Input> => {
      if (token === undefined) pages = [];
      const query = { ...selector, limit: PAGE, ...(token === undefined ? {} : { continue: token }) };
      const page = await options.client.list(options.resource, query, signal);
      for (const object of page.items) pages.push(trim(object));
      if (page.continue !== undefined) {
        return { type: "page", resourceVersion: page.resourceVersion, continue: page.continue };
      }
      store.replace(pages, page.resourceVersion);
      pages = [];
      return { type: "page", resourceVersion: page.resourceVersion };
    };

    const follow = async (resourceVersion: string, seen: (resourceVersion: string) => void): Promise<Input> => {
      for await (const event of options.watch(options.resource, { ...selector, resourceVersion }, signal)) {
        take(store, event);
        seen(event.resourceVersion);
      }
      return { type: "ended" };
    };

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
          advance(await list(state.continue));
          // only then is the connection free, which would be made anew for the next page or the watch
          await turn();
        } else {
          advance(await follow(state.resourceVersion, (resourceVersion) => advance({ type: "seen", resourceVersion })));
        }
      } catch (thrown) {
        if (signal.aborted) return;
        const error =
          thrown instanceof KubeError
            ? thrown
            : new KubeError(`watch ${options.resource.kind}: ${thrown}`, {
                kind: "retryable",
                reason: "Unexpected",
                cause: thrown,
              });
        advance({ type: "failed", expired: isExpired(error), retryAfterMs: error.retryAfterMs });
        options.onFailure(error, delayOf(state));
      }
    }
  },
});

const delayOf = (state: State): number => (state.phase === "waiting" ? state.ms : 0);

const take = <T extends KubeObject>(store: IndexedStore<T>, event: WatchEvent<T>): void => {
  if (event.type === "BOOKMARK") store.advance(event.resourceVersion);
  else if (event.type === "DELETED") store.remove(event.object, event.resourceVersion);
  else store.put(trim(event.object), event.resourceVersion);
};
