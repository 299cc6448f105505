/** The operator's requests, from the API server's audit log: one JSON object a line. Pure. */
import { z } from "zod";

/** `at`: when it was answered, in milliseconds since 1970. `what` reads like `patch modeldeployments/status`. */
export type Request = { at: number; what: string; writes: boolean };

/** Only what one account asks, and of a request only that it was answered: the log is no load of its own. */
export const auditPolicy = (user: string): object => ({
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived", "ResponseStarted"],
  rules: [{ level: "Metadata", users: [user] }, { level: "None" }],
});

const entry = z.object({
  verb: z.string(),
  stageTimestamp: z.string(),
  objectRef: z.object({ resource: z.string(), subresource: z.string().optional() }).optional(),
});

/** Renewals go on for ever, and a watch is one request for minutes: neither is work on an object. */
const isWork = (verb: string, resource: string): boolean => verb !== "watch" && resource !== "leases";

const WRITES = new Set(["create", "update", "patch", "delete", "deletecollection"]);

/** A last line without its end is still being written, and is left out. */
export const parseAudit = (text: string): Request[] =>
  text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .flatMap((line) => {
      const { verb, stageTimestamp, objectRef } = entry.parse(JSON.parse(line));
      const { resource = "", subresource } = objectRef ?? {};
      if (!isWork(verb, resource)) return [];
      const what = `${verb} ${resource}${subresource === undefined ? "" : `/${subresource}`}`;
      return [{ at: Date.parse(stageTimestamp), what, writes: WRITES.has(verb) }];
    });

/** How many of each, the most frequent first. */
export const countByWhat = (requests: readonly Request[]): [what: string, count: number][] =>
  [...Map.groupBy(requests, ({ what }) => what)]
    .map(([what, same]): [string, number] => [what, same.length])
    .toSorted(([, one], [, other]) => other - one);
