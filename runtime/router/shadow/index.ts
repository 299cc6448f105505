/**
 * Copies some of the requests that stable has answered to the canary, whose answers are compared with stable's and go nowhere.
 * Some go to stable once more instead: how often a model disagrees with itself is no fault of a canary. Under load copies are
 * what is dropped first.
 */
import { gunzip } from "node:zlib";
import { leastOutstanding } from "../balance.ts";
import type { Capture } from "../exchange.ts";
import type { Fleet } from "../fleet.ts";
import type { KeptBytes } from "../kept-bytes.ts";
import { type AnswerHead, fieldOf, type Message } from "../message.ts";
import type { Route, Table } from "../table.ts";
import { compare, type Tolerance } from "./compare.ts";
import { createShadowCounters, type ShadowCounters } from "./counters.ts";
import { type Outputs, readGrpcAnswer, readJsonAnswer } from "./read-answer.ts";

export type Shadow = {
  /** Stable begins to answer this request. Undefined: it is not copied. */
  answered(message: Message): Capture | undefined;
  counters: ShadowCounters;
};

export type ShadowOptions = {
  table(): Table | undefined;
  fleet: Fleet;
  kept: KeptBytes;
  timeoutMs(): number;
  /** By output. */
  tolerances(): ReadonlyMap<string, Tolerance>;
  /** Requests under way on one pod. */
  cap: number;
  /** In [0, 1). */
  random(): number;
};

/**
 * Of the copies, those that go to stable again: many at first, since nothing can be said of a canary before it is known how often
 * the model disagrees with itself; then a tenth.
 */
const SELF_SHARE = { first: 0.3, later: 0.1 } as const;
/** Of such pairs of one stable revision. */
const FIRST_PAIRS = 30;
/** Copies under way. */
const MOST_COPIES = 32;
/** Of its cap, what a pod may be busy with and still get copies: clients come first. */
const BUSY_SHARE = 0.25;
/** A larger answer is not compared; reading one of JSON takes some 10 ms. */
const MOST_ANSWER = 1024 ** 2;
const MOST_OUTPUTS = 64;
/** What a pod says that has too much to do: that is no fault of its model. */
const OVERLOADED: ReadonlySet<number> = new Set([429, 503]);

type Answer = { head: AnswerHead; bytes: Buffer };

export const createShadow = (options: ShadowOptions): Shadow => {
  const { cap, fleet, kept, random, tolerances } = options;
  const counters = createShadowCounters();
  let copies = 0;
  /** Of a stable revision: copies that went to it again. */
  let self = { revision: "", copies: 0 };

  const selfShare = ({ revision }: Route): number => {
    if (self.revision !== revision) self = { revision, copies: 0 };
    return self.copies < FIRST_PAIRS ? SELF_SHARE.first : SELF_SHARE.later;
  };
  const note = (reason: string): void => {
    counters.reason = reason.slice(0, 300);
  };
  const incomparable = (reason: string): void => {
    counters.incomparable++;
    note(reason);
  };

  const judge = async (kind: "canary" | "self", ours: Answer, theirs: Answer, grpc: boolean): Promise<void> => {
    const [stable, other] = [await outputsOf(ours, grpc), await outputsOf(theirs, grpc)];
    const result = compare(stable, other, tolerances());
    if (result.kind === "incomparable") {
      incomparable(result.reason);
      return;
    }
    const counts = counters[kind];
    counts.compared++;
    if (result.kind === "different") {
      counts.disagreed++;
      note(result.reason);
      return;
    }
    if (result.agrees) return;
    counts.disagreed++;
    if (kind === "self") return;
    for (const { agrees, name } of result.outputs) {
      const known = counters.outputs.get(name);
      if (!agrees && (known !== undefined || counters.outputs.size < MOST_OUTPUTS))
        counters.outputs.set(name, (known ?? 0) + 1);
    }
  };

  /** Asks a pod of `route` once more; `busy`: none could take it. */
  const ask = (message: Message, route: Route): Promise<Answer | "busy" | undefined> => {
    const arm = fleet.arm(route.revision);
    const pod = leastOutstanding(arm.pods, Math.max(1, cap * BUSY_SHARE), random());
    if (pod === undefined) return Promise.resolve("busy");
    pod.outstanding++;
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
    const collected = collect(resolve);
    const timer = setTimeout(() => {
      sent.abort();
      resolve(undefined);
    }, options.timeoutMs());
    const sent = pod.client.send(message, {
      head: collected.head,
      data: collected.data,
      flush: () => undefined,
      end: collected.end,
      failed: () => resolve(undefined),
    });
    return promise.finally(() => {
      clearTimeout(timer);
      pod.outstanding--;
      fleet.freed(arm);
    });
  };

  const copy = async (message: Message, route: Route, ours: Answer): Promise<void> => {
    const isSelf = route.role === "stable";
    try {
      const theirs = await ask(message, route);
      if (theirs === "busy" || (theirs !== undefined && OVERLOADED.has(theirs.head.outcome))) {
        counters.dropped++;
        return;
      }
      if (theirs === undefined || theirs.head.outcome >= 400) {
        if (!isSelf) counters.failed++;
        return;
      }
      await judge(isSelf ? "self" : "canary", ours, theirs, message.protocol === "grpc");
    } catch (error) {
      incomparable(error instanceof Error ? error.message : String(error));
    }
  };

  /** The canary is not too busy with requests whose clients wait. */
  const hasRoom = ({ revision }: Route): boolean =>
    fleet.arm(revision).room.size() === 0 &&
    fleet.arm(revision).pods.some(({ isReady, outstanding }) => isReady && outstanding < cap * BUSY_SHARE);

  return {
    counters,
    answered(message) {
      const { body } = message;
      const routes = options.table()?.routes ?? [];
      const canary = routes.find(({ role }) => role === "canary");
      const stable = routes.find(({ role }) => role === "stable");
      if (canary === undefined || stable === undefined || body.kind !== "whole" || message.method !== "POST") return;
      if (random() * 100 >= canary.shadow) return;
      const route = random() < selfShare(stable) ? stable : canary;
      const bytes = body.bytes + MOST_ANSWER;
      if (copies >= MOST_COPIES || !hasRoom(route) || !kept.take(bytes)) {
        counters.dropped++;
        return;
      }
      copies++;
      if (route === stable) self.copies++;
      const done = (): void => {
        copies--;
        kept.give(bytes);
      };
      const collected = collect((ours) => {
        if (ours === undefined || ours.head.outcome >= 400) done();
        else void copy(message, route, ours).finally(done);
      });
      return { head: collected.head, data: collected.data, end: collected.end, dropped: () => collected.drop() };
    },
  };
};

/** Puts an answer together; `done` is called once, without one where it is too large or does not end. */
const collect = (done: (answer: Answer | undefined) => void) => {
  let head: AnswerHead | undefined;
  let pieces: Buffer[] = [];
  let bytes = 0;
  let over = false;
  const finish = (answer: Answer | undefined): void => {
    if (over) return;
    over = true;
    done(answer);
  };
  return {
    head: (found: AnswerHead) => {
      head = found;
    },
    data: (piece: Buffer) => {
      if (over) return;
      pieces.push(piece);
      bytes += piece.length;
      if (bytes <= MOST_ANSWER) return;
      pieces = [];
      finish(undefined);
    },
    end: (_trailers: unknown, outcome?: number) =>
      finish(head && { head: { ...head, outcome: outcome ?? head.outcome }, bytes: Buffer.concat(pieces) }),
    drop: () => finish(undefined),
  };
};

const outputsOf = async ({ bytes, head }: Answer, grpc: boolean): Promise<Outputs> => {
  if (grpc) return readGrpcAnswer(bytes);
  const encoding = fieldOf(head.fields, "content-encoding") ?? "identity";
  if (encoding !== "identity" && encoding !== "gzip") throw new Error(`answers with content-encoding ${encoding}`);
  const plain = encoding === "gzip" ? await unzip(bytes) : bytes;
  const jsonBytes = fieldOf(head.fields, "inference-header-content-length");
  return readJsonAnswer(plain, jsonBytes === undefined ? undefined : Number(jsonBytes));
};

const unzip = (bytes: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) =>
    gunzip(bytes, { maxOutputLength: 8 * MOST_ANSWER }, (error, plain) =>
      error === null ? resolve(plain) : reject(error),
    ),
  );
