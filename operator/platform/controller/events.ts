import { createHash } from "node:crypto";
import type { Client } from "../kube/client.ts";
import type { Event, KubeObject } from "../kube/objects.ts";
import { EVENTS } from "../kube/resources.ts";

/**
 * Records what happened to an object, for `kubectl describe`. To be called when something changes, not on each
 * reconcile. `reason` and `action` are UpperCamelCase words of 128 characters at most; a longer `note` is cut.
 * Never throws and never waits: events are a courtesy, and too many of them are dropped.
 */
export type EventRecorder = {
  event(object: KubeObject, type: "Normal" | "Warning", reason: string, action: string, note: string): void;
};

export type EventSender = EventRecorder & {
  /** Waits until what was recorded is sent. */
  flush(): Promise<void>;
};

export type EventOptions = {
  client: Client;
  /** The program, and which process of it. */
  reportingController: string;
  reportingInstance: string;
  /** Milliseconds since 1970. */
  clock: () => number;
  onFailure(error: unknown): void;
};

const FIELD_MANAGER = "berth-events";
/** The API's bound of `note`, in bytes. */
const NOTE_BYTES = 1024;
/** The same event within this time counts as one more of the same, as in client-go. */
const SERIES_MS = 6 * 60_000;
/** Per object, as in client-go: 25 at once, then one in five minutes. */
const BURST = 25;
const REFILL_MS = 300_000;
const MOST_SERIES = 1000;
/** Of a namespace. */
const MOST_PENDING = 256;

type Series = { name: string; first: number; last: number; count: number };
type Allowance = { tokens: number; at: number };

type State = {
  readonly options: EventOptions;
  /** By what is the same in all events of a series. */
  readonly series: Map<string, Series>;
  /** By object. */
  readonly allowances: Map<string, Allowance>;
  /** By namespace: a webhook that hangs in one holds up no events of the others. */
  readonly sending: Map<string, { last: Promise<void>; pending: number }>;
};

export const createEventRecorder = (options: EventOptions): EventSender => {
  const state: State = { options, series: new Map(), allowances: new Map(), sending: new Map() };
  return {
    event(object, type, reason, action, note) {
      const now = options.clock();
      const { namespace = "default", uid = "" } = object.metadata;
      if (!isAllowed(state, uid, namespace, now)) return;
      const series = nextOf(state, JSON.stringify([uid, type, reason, action, note]), object, now);
      send(state, namespace, eventOf(options, object, series, { type, reason, action, note: cut(note) }));
    },
    async flush() {
      await Promise.all([...state.sending.values()].map(({ last }) => last));
    },
  };
};

const eventOf = (
  { reportingController, reportingInstance }: EventOptions,
  { apiVersion, kind, metadata }: KubeObject,
  { count, first, last, name: eventName }: Series,
  said: Pick<Event, "type" | "reason" | "action" | "note">,
): Event => {
  const { namespace = "default", name, uid = "" } = metadata;
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: eventName, namespace },
    eventTime: microTime(first),
    ...{ reportingController, reportingInstance },
    ...said,
    regarding: { apiVersion, kind, namespace, name, uid },
    ...(count > 1 ? { series: { count, lastObservedTime: microTime(last) } } : {}),
  };
};

const isAllowed = ({ allowances, sending }: State, uid: string, namespace: string, now: number): boolean => {
  const { tokens, at } = allowances.get(uid) ?? { tokens: BURST, at: now };
  const left = Math.min(BURST, tokens + (now - at) / REFILL_MS);
  const allowed = left >= 1 && (sending.get(namespace)?.pending ?? 0) < MOST_PENDING;
  remember(allowances, uid, { tokens: allowed ? left - 1 : left, at: now });
  return allowed;
};

const nextOf = ({ series }: State, identity: string, object: KubeObject, now: number): Series => {
  const known = series.get(identity);
  const next =
    known !== undefined && now - known.last < SERIES_MS
      ? { ...known, last: now, count: known.count + 1 }
      : { name: eventName(object, identity, now), first: now, last: now, count: 1 };
  remember(series, identity, next);
  return next;
};

/** One after the other: the second of a series must not overtake the first. */
const send = ({ options, sending }: State, namespace: string, event: Event): void => {
  const { last, pending } = sending.get(namespace) ?? { last: Promise.resolve(), pending: 0 };
  const next = last
    .then(async () => {
      await options.client.apply(EVENTS, event, { fieldManager: FIELD_MANAGER });
    })
    .catch(options.onFailure)
    .finally(() => {
      const left = (sending.get(namespace)?.pending ?? 1) - 1;
      if (left === 0) sending.delete(namespace);
      else sending.set(namespace, { last: sending.get(namespace)?.last ?? next, pending: left });
    });
  sending.set(namespace, { last: next, pending: pending + 1 });
};

/** Keeps the most recently used; one who is forgotten starts anew, which costs a second event at worst. */
const remember = <V>(map: Map<string, V>, key: string, value: V): void => {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MOST_SERIES && oldest !== undefined) map.delete(oldest);
};

const eventName = (object: KubeObject, identity: string, now: number): string => {
  const hash = createHash("sha256").update(`${identity}${now}`).digest("hex").slice(0, 16);
  // A name may have 253 characters.
  return `${object.metadata.name.slice(0, 230).replace(/[.-]+$/, "")}.${hash}`;
};

/** A MicroTime: the API server refuses any but six digits of a second. */
export const microTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, -1)}000Z`;

const cut = (note: string): string => {
  const bytes = Buffer.from(note);
  if (bytes.length <= NOTE_BYTES) return note;
  // A character that is cut in two decodes to U+FFFD, which goes too.
  return `${bytes
    .subarray(0, NOTE_BYTES - 3)
    .toString()
    .replace(/\uFFFD$/, "")}…`;
};
