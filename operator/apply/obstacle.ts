/** What stands in the way of writes, as data: it is told of, and does not end a pass. Pure. */

import { KubeError } from "../platform/kube/errors.ts";
import type { Action } from "./actions.ts";

/** `object` reads like `Service digits`. */
export type Obstacle =
  /** Not ours, and not to be touched. */
  | { kind: "stranger"; objects: string[] }
  /** A child of an earlier ModelDeployment of this name, which is on its way out. */
  | { kind: "leaving"; object: string }
  /** The API server does not take what we write: a quota, an admission policy or webhook, missing rights, or a wrong value. */
  | { kind: "refused"; message: string; isHopeless: boolean; others?: readonly string[] }
  /** No answer in time: an admission webhook that takes longer than we wait, or the API server itself. */
  | { kind: "unanswered"; message: string; others?: readonly string[] };

export type Refused = { action: Action; obstacle: Obstacle };

/** All that came of a plan's writes. */
export type Outcome = {
  /** Strangers are one obstacle, so that nobody removes them one by one. */
  obstacles: Obstacle[];
  /** The first error after which observing again, or the queue's backoff, is the answer. Thrown once the status is written. */
  error: unknown;
  /** What was carried out. */
  done: Action[];
  /** What was not taken, and why: it is tried again at ever longer intervals. */
  refused: Refused[];
};

/** Admission, in the API server's words: these come with any HTTP status, and with 500 where a webhook is down. */
const ADMISSION =
  /failed calling webhook|admission webhook "[^"]*" (?:denied|attempted)|(?:Validating|Mutating)AdmissionPolicy '|quota evaluation timed out/i;

/** The obstacle that an error is; undefined for one that is to be tried again, or that nobody expects. */
export const refusalIn = (error: unknown): Obstacle | undefined => {
  if (!(error instanceof KubeError)) return undefined;
  const isTerminal = error.kind === "terminal";
  const isAdmission = ADMISSION.test(error.message);
  if (error.reason === "Timeout") return { kind: "unanswered", message: error.message };
  if (!isTerminal && error.status !== 403 && !isAdmission) return undefined;
  // a policy or a webhook may be mended while our object stays as it is
  return { kind: "refused", message: error.message, isHopeless: isTerminal && !isAdmission };
};

/** What is told of, where there are several: what somebody must remove, what nobody can mend by waiting, the rest; `others`: the other writes that are not taken. */
export const worstOf = (obstacles: readonly Obstacle[]): Obstacle | undefined => {
  const worst = first(obstacles);
  if (worst === undefined || !("message" in worst)) return worst;
  const own = writeIn(worst);
  const others = new Set(obstacles.flatMap((one) => ("message" in one ? [writeIn(one)] : [])));
  others.delete(own);
  return others.size === 0 ? worst : { ...worst, others: [...others].sort() };
};

/** `apply Service a/digits: no answer within 30 s` */
const writeIn = ({ message }: { message: string }): string => message.split(": ", 1)[0] ?? "";

const MOST_TOLD = 5;

/** The other writes that are not taken, to be added to a message about the first. */
export const othersInWords = (others: readonly string[] = []): string => {
  if (others.length === 0) return "";
  const rest = others.length - MOST_TOLD;
  return `; not written either: ${others.slice(0, MOST_TOLD).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
};

const first = (obstacles: readonly Obstacle[]): Obstacle | undefined =>
  obstacles.find(({ kind }) => kind === "stranger") ??
  obstacles.find((one) => one.kind === "refused" && one.isHopeless) ??
  obstacles.find(({ kind }) => kind === "refused") ??
  obstacles.find(({ kind }) => kind === "unanswered") ??
  obstacles[0];

/** Several strangers become one obstacle that names them all. */
export const gathered = (obstacles: readonly Obstacle[]): Obstacle[] => {
  const strangers = obstacles.flatMap((one) => (one.kind === "stranger" ? one.objects : []));
  const others = obstacles.filter(({ kind }) => kind !== "stranger");
  return strangers.length === 0 ? others : [{ kind: "stranger", objects: [...new Set(strangers)] }, ...others];
};
