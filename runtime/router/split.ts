/** Which revision answers a request. Pure. */
import type { Route, Table } from "./table.ts";

export type Request = {
  /** Of the header `x-berth-revision`: a tester's wish. */
  pinned?: string | undefined;
  /** It could be sent again: no stream, and a body that is kept. */
  isReplayable: boolean;
};

/** `counts`: whether what becomes of it is evidence. A tester's request is none. */
export type Choice = { route: Route; counts: boolean };

/**
 * Each request by itself, at random: the share is exact in the long run, whatever clients and connections there are, and every
 * request is as likely to be the canary's as any other, which is what the evidence takes for granted. What cannot be sent
 * again stays on stable, where no failure of a canary can reach its client. Undefined: a revision was asked for that has no route.
 *
 * @param random in [0, 1)
 */
export const choose = ({ routes }: Table, { isReplayable, pinned }: Request, random: number): Choice | undefined => {
  if (pinned !== undefined) {
    const route = routes.find(({ revision }) => revision === pinned);
    return route && { route, counts: false };
  }
  const stable = routes.find(({ role }) => role === "stable");
  const canary = routes.find(({ role }) => role === "canary");
  const route = canary !== undefined && (stable === undefined || random * 100 < canary.weight) ? canary : stable;
  if (route?.role === "canary" && stable !== undefined && !isReplayable) return { route: stable, counts: false };
  // Were stable's own unreplayable requests to count, the arms would be compared on different requests.
  return route && { route, counts: isReplayable };
};
