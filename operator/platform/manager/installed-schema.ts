import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Client } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import type { KubeObject, Resource } from "../kube/objects.ts";
import type { ReadServed, Served } from "../kube/open-api.ts";
import { knownFields, lacking, type Schema } from "../kube/schema.ts";

/** A kind of ours: what this program knows of it. */
export type OwnKind = { resource: Resource<KubeObject>; schema: Schema };

/** What is to be said of the installed schemas. */
export type SchemaNews =
  | { is: "older"; crd: string; lacks: readonly string[] }
  | { is: "complete"; crd: string }
  | { is: "missing"; crd: string }
  | { is: "unreadable"; why: string };

/**
 * The schemas of our kinds in the cluster, which are another's to install: one that is older than this program refuses every
 * server-side apply with a field that it does not know. Looked at soon after the start, when a write is refused, and again every minute.
 */
export type InstalledSchema = {
  /** @param afterMs before the first look: to make our own schemas takes time that a start needs for something else. Default 0. */
  run(signal: AbortSignal, afterMs?: number): Promise<void>;
  /** The same client, whose applies to our kinds leave out what the installed schema does not know. */
  writer(client: Client): Client;
};

/** What is said of it in the log. */
export const logNews = (log: Logger, news: SchemaNews): void => {
  if (news.is === "unreadable") {
    log.warn(
      { why: news.why },
      "the schemas of the installed CRDs cannot be read: whether they are older than this operator is not known",
    );
    return;
  }
  const { crd } = news;
  if (news.is === "missing") log.error({ crd }, "the CRD is not installed: apply the crds of this operator's release");
  else if (news.is === "complete") log.info({ crd }, "the installed CRD has all that this operator writes");
  else
    log.warn(
      { crd, lacks: news.lacks },
      "the installed CRD is older than this operator: what it lacks is not written until the crds of this operator's release are applied",
    );
};

const EVERY_MS = 60_000;
const MOST_NAMED = 30;

type State = {
  readonly read: ReadServed;
  readonly own: () => readonly OwnKind[];
  readonly tell: (news: SchemaNews) => void;
  /** The installed schemas of the kinds whose schema lacks something. */
  narrow: ReadonlyMap<string, Schema>;
  etag: string | undefined;
  /** What was said last, by CRD. */
  told: Map<string, string>;
  checking: Promise<void> | undefined;
};

/** @param tell told when something has changed, so that what was left out can be written now */
export const createInstalledSchema = (
  read: ReadServed,
  own: () => readonly OwnKind[],
  tell: (news: SchemaNews) => void,
): InstalledSchema => {
  const state: State = {
    ...{ read, own, tell },
    narrow: new Map(),
    etag: undefined,
    told: new Map(),
    checking: undefined,
  };
  return {
    async run(signal, afterMs = 0) {
      const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => undefined);
      if (afterMs > 0) await pause(afterMs);
      while (!signal.aborted) {
        await check(state);
        await pause(EVERY_MS);
      }
    },
    writer: (client) => ({
      ...client,
      async apply(resource, object, options) {
        const before = state.narrow;
        try {
          return await client.apply(resource, before.has(object.kind) ? fitting(before, object) : object, options);
        } catch (error) {
          if (!isUnknownField(error)) throw error;
          await check(state);
          if (state.narrow === before || !state.narrow.has(object.kind)) throw error;
          return await client.apply(resource, fitting(state.narrow, object), options);
        }
      },
    }),
  };
};

/** Looks at the schemas; one look for all who ask meanwhile. */
const check = (state: State): Promise<void> => {
  state.checking ??= look(state).finally(() => {
    state.checking = undefined;
  });
  return state.checking;
};

const look = async (state: State): Promise<void> => {
  try {
    const served = await state.read(state.etag);
    if (served !== undefined) take(state, served);
  } catch (error) {
    if (error instanceof KubeError && error.kind === "notFound") take(state, { etag: undefined, kinds: new Map() });
    else say(state, "", { is: "unreadable", why: error instanceof Error ? error.message : String(error) }, state.told);
  }
};

const take = (state: State, served: Served): void => {
  const found = new Map<string, Schema>();
  const next = new Map<string, string>();
  const news: SchemaNews[] = state.own().map(({ resource: { apiVersion, kind, plural }, schema }) => {
    const crd = `${plural}.${apiVersion.split("/")[0]}`;
    const installed = served.kinds.get(kind);
    if (installed === undefined) return { is: "missing", crd };
    const lacks = lacking(schema, installed);
    if (lacks.length > 0) found.set(kind, installed);
    return lacks.length === 0 ? { is: "complete", crd } : { is: "older", crd, lacks: lacks.slice(0, MOST_NAMED) };
  });
  state.etag = served.etag;
  state.narrow = found;
  for (const one of news) say(state, "crd" in one ? one.crd : "", one, next);
  state.told = next;
};

const say = ({ tell, told }: State, about: string, news: SchemaNews, next: Map<string, string>): void => {
  const text = JSON.stringify(news);
  const before = told.get(about);
  next.set(about, text);
  // a schema that lacks nothing is no news, unless it did before
  if (before !== text && (news.is !== "complete" || before !== undefined)) tell(news);
};

/** The object without what the installed schema of its kind does not know. */
const fitting = <T extends KubeObject>(
  narrow: State["narrow"],
  { apiVersion, kind, metadata, ...rest }: T,
): KubeObject => {
  const schema = narrow.get(kind);
  return { ...(schema === undefined ? rest : knownFields(rest, schema)), apiVersion, kind, metadata };
};

/** What server-side apply says, with a 500, of a field that the schema does not have. */
const isUnknownField = (error: unknown): boolean =>
  error instanceof KubeError && error.message.includes("field not declared in schema");
