/** A request once more, to the pod of another revision or of the same. */
import { firstFieldOf } from "../../transport/http/fields.ts";
import { leastOutstanding } from "../balance.ts";
import { withoutDeadline } from "../deadline.ts";
import type { Message, Sent } from "../message.ts";
import type { Route } from "../table.ts";
import { type Collected, collect } from "./collect.ts";
import type { Memory } from "./memory.ts";
import { type Answer, MOST_THEIRS } from "./read-answer.ts";
import { BUSY_SHARE, type ShadowOptions } from "./state.ts";

/** What a pod says that has too much to do. */
const OVERLOADED: ReadonlySet<number> = new Set([429, 503]);

/** `busy`: it was not asked, or had no time: that is no fault of its model. `failed`: it was, and did not answer as stable has. */
type Told = Answer | "busy" | "failed" | "large";

/** Asks a pod of `route` once more; what its answer takes besides the `had` bytes of stable's is added to `memory`. */
export const ask = (
  options: ShadowOptions,
  message: Message,
  route: Route,
  had: number,
  memory: Memory,
): Promise<Told> => {
  const { cap, fleet, random } = options;
  const arm = fleet.arm(route.revision);
  const { protocol } = message;
  const up = arm.pods.filter(({ reach }) => reach[protocol].failures === 0);
  const pod = leastOutstanding(up, Math.max(1, cap * BUSY_SHARE), random());
  if (pod === undefined) return Promise.resolve("busy");
  const slot = fleet.take(arm, pod, { protocol, isStream: false });
  const { promise, resolve } = Promise.withResolvers<Told>();
  let isShort = false;
  const fits = (bytes: number): boolean => {
    if (bytes > MOST_THEIRS) return false;
    isShort = !memory.grow(had + bytes);
    return !isShort;
  };
  const collected = collect(fits, (answer) => {
    if (answer === "large") sent?.abort();
    resolve(isShort ? "busy" : toldBy(answer));
  });
  let sent: Sent | undefined;
  const timer = setTimeout(() => {
    sent?.abort();
    resolve("failed");
  }, options.timeoutMs());
  // a canary that takes longer than its client had time is slow, and the evidence knows it from requests of its own
  sent = pod.client.send(withoutDeadline(message), {
    reached: () => fleet.reached(slot),
    head: collected.head,
    data: collected.data,
    flush: () => "kept",
    end: collected.end,
    failed: (kind) => {
      if (kind === "unreachable") fleet.missed(slot);
      // a request that has reached nobody says nothing
      resolve(kind === "unreachable" || kind === "unseen" ? "busy" : "failed");
    },
  });
  return promise.finally(() => {
    clearTimeout(timer);
    fleet.give(slot);
  });
};

/** A pod that has too much to do says when to come back; without that it is the answer that this request gets. */
const toldBy = (collected: Collected): Told => {
  if (collected === "large") return "large";
  if (collected === "cut") return "failed";
  const { fields, outcome } = collected.head;
  const isLater = ["retry-after", "grpc-retry-pushback-ms"].some((name) => firstFieldOf(fields, name) !== undefined);
  if (OVERLOADED.has(outcome) && isLater) return "busy";
  return outcome >= 400 ? "failed" : collected;
};
