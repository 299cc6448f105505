/**
 * Releases of Berth beside each other. A ModelDeployment's status names the operator that serves it; another one that looks at the
 * same namespace leaves it alone for as long as that operator's lease is renewed and its lease says that it looks there.
 */
import type { ModelDeployment } from "./api/v1alpha1/index.ts";
import type { Store } from "./platform/cache/store.ts";
import type { EventRecorder } from "./platform/controller/events.ts";
import type { Reconcile } from "./platform/controller/result.ts";
import type { Client } from "./platform/kube/client.ts";
import { KubeError } from "./platform/kube/errors.ts";
import type { Lease } from "./platform/kube/objects.ts";
import { LEASES } from "./platform/kube/resources.ts";

/** On a lease: the namespaces that its operator looks at, with commas between them; empty: every one. */
export const WATCHED_ANNOTATION = "berth.dev/watch-namespaces";

/** Whether an operator serves a namespace. `hidden`: its lease may not be read. */
export type Presence = "there" | "hidden" | "gone";

/** Nobody has written to the lease for so long: longer than an upgrade, or a new leader, takes. */
const GONE_MS = 60_000;
const FRESH_MS = 5_000;
const LOOK_AGAIN_MS = 20_000;

export type Look = (operator: string, namespace: string, signal: AbortSignal) => Promise<Presence>;

type Known = { askedAt: number; lease: Lease | "hidden" | "gone"; version: string; since: number };

/** @param clock monotonic, in milliseconds */
export const createLook = (client: Pick<Client, "get">, clock: () => number): Look => {
  const known = new Map<string, Known>();
  const read = async (operator: string, signal: AbortSignal): Promise<Known["lease"]> => {
    const [namespace = "", name = ""] = operator.split("/");
    if (namespace === "" || name === "") return "gone";
    try {
      return await client.get(LEASES, { namespace, name }, signal);
    } catch (error) {
      if (error instanceof KubeError && error.kind === "notFound") return "gone";
      if (error instanceof KubeError && error.status === 403) return "hidden";
      throw error;
    }
  };
  return async (operator, namespace, signal) => {
    let last = known.get(operator);
    if (last === undefined || clock() - last.askedAt >= FRESH_MS) {
      const askedAt = clock();
      const lease = await read(operator, signal);
      const version = typeof lease === "string" ? lease : (lease.metadata.resourceVersion ?? "");
      last = { askedAt, lease, version, since: last?.version === version ? last.since : askedAt };
      known.set(operator, last);
    }
    if (typeof last.lease === "string") return last.lease;
    const isLong = last.askedAt - last.since > GONE_MS + 2000 * (last.lease.spec?.leaseDurationSeconds ?? 0);
    return isLong || !watches(last.lease, namespace) ? "gone" : "there";
  };
};

const watches = ({ metadata }: Lease, namespace: string): boolean => {
  const watched = metadata.annotations?.[WATCHED_ANNOTATION] ?? "";
  return watched === "" || watched.split(",").includes(namespace);
};

export type Beside = {
  /** Our own name in a status: namespace and lease. */
  self: string;
  modelDeployments: Pick<Store<ModelDeployment>, "get" | "list">;
  look: Look;
  events: EventRecorder;
};

const ownerOf = ({ status }: ModelDeployment, self: string): string => status?.operator ?? self;

/** The same, of which a ModelDeployment that another operator serves is left alone. */
export const besideOthers = (reconcile: Reconcile, { events, look, modelDeployments, self }: Beside): Reconcile => {
  const told = new Map<string, string>();
  return async (key, context) => {
    const object = modelDeployments.get(key);
    const owner = object === undefined ? self : ownerOf(object, self);
    const id = `${key.namespace}/${key.name}`;
    const presence = owner === self ? "gone" : await look(owner, key.namespace ?? "", context.signal);
    if (object === undefined || presence === "gone") {
      told.delete(id);
      return await reconcile(key, context);
    }
    if (told.get(id) !== owner) {
      told.set(id, owner);
      const note = inWords(owner, self, presence, key);
      context.log.warn({ owner }, "another release of Berth serves this ModelDeployment; this one leaves it alone");
      events.event(object, "Warning", "ManagedElsewhere", "Reconcile", note);
    }
    return { requeueAfterMs: LOOK_AGAIN_MS };
  };
};

const inWords = (
  owner: string,
  self: string,
  presence: Presence,
  key: { namespace?: string; name: string },
): string => {
  const both = `operator ${owner} serves this ModelDeployment, so operator ${self}, which watches the same namespace, leaves it alone`;
  if (presence === "there") return `${both}; give each release namespaces of its own (watchNamespaces of the chart)`;
  const take = `kubectl patch mdeploy ${key.name} -n ${key.namespace} --subresource=status --type=merge -p '{"status":{"operator":null}}'`;
  return `${both}. ${self} may not see whether ${owner} still runs; if it does not: ${take}`;
};

/** The same for the router of a namespace: of the operators that serve somebody there, the first by name looks after it. */
export const firstOfOthers =
  (reconcile: Reconcile, { look, modelDeployments, self }: Omit<Beside, "events">): Reconcile =>
  async (key, context) => {
    const namespace = key.namespace ?? "";
    const owners = new Set<string>();
    for (const object of modelDeployments.list())
      if (object.metadata.namespace === namespace) owners.add(ownerOf(object, self));
    for (const owner of [...owners].sort()) {
      if (owner === self) break;
      if ((await look(owner, namespace, context.signal)) !== "gone") return { requeueAfterMs: LOOK_AGAIN_MS };
    }
    return await reconcile(key, context);
  };
