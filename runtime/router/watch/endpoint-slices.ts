/** The pods of revisions, from the EndpointSlices of their headless Services. */
import { z } from "zod";
import { GRPC_PORT, HTTP_PORT, REVISION_LABEL } from "../../../contract/pod.ts";
import type { Seen } from "../fleet.ts";

export type RevisionPods = { revision: string; pods: readonly Seen[] };

const schema = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()).optional() }),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(z.string()).min(1),
        conditions: z.object({ ready: z.boolean().nullish(), terminating: z.boolean().nullish() }).optional(),
        targetRef: z.object({ name: z.string().optional() }).optional(),
      }),
    )
    .nullish(),
  ports: z.array(z.object({ name: z.string().nullish(), port: z.number().nullish() })).nullish(),
});

/** Undefined for a slice of anything else, such as the clients' Service. */
export const decodeEndpointSlice = (object: unknown): RevisionPods | undefined => {
  const { endpoints, metadata, ports } = schema.parse(object);
  const { labels = {} } = metadata;
  const revision = labels[REVISION_LABEL];
  // the headless Service has its revision's name
  if (revision === undefined || labels["kubernetes.io/service-name"] !== revision) return undefined;
  const portOf = (name: string, fallback: number): number =>
    ports?.find((port) => port.name === name)?.port ?? fallback;
  const [httpPort, grpcPort] = [portOf("http", HTTP_PORT), portOf("grpc", GRPC_PORT)];
  const pods = (endpoints ?? []).flatMap(({ addresses, conditions, targetRef }): Seen[] => {
    const [host] = addresses;
    if (host === undefined) return [];
    const isTerminating = conditions?.terminating === true;
    // "nil should be interpreted as true", says the API; a pod that is leaving takes no more
    const isReady = conditions?.ready !== false && !isTerminating;
    return [{ name: targetRef?.name ?? host, host, httpPort, grpcPort, isReady, isTerminating }];
  });
  return { revision, pods };
};
