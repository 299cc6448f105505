import {
  GRPC_PORT,
  HTTP_PORT,
  type ModelDeploymentSpec,
  ROUTER_LABEL,
  revisionLabels,
  routerLabels,
  SWITCHED_ANNOTATION,
  serviceName,
} from "../../../api/v1alpha1/index.ts";
import type { Service } from "../../../platform/kube/objects.ts";
import { childMeta, type Owner } from "./owner.ts";

/** Where the clients' Service sends requests: to the pods of a revision, or to the routers' port of the ModelDeployment. */
export type Target = { to: "revision"; revision: string } | { to: "router"; port: number };

/**
 * The Service that clients use, on port 80 for HTTP and 8081 for gRPC. Selector and ports change in one write: no request meets
 * one of them without the other.
 * @param users what `spec.service` says
 * @param switchedAt since when it sends requests there, if it sent them elsewhere before; milliseconds since 1970
 */
export const service = (owner: Owner, target: Target, switchedAt?: number, users: UsersMetadata = {}): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: withUsers(users, {
    ...childMeta(owner, serviceName(owner.name)),
    ...(switchedAt === undefined ? {} : { annotations: { [SWITCHED_ANNOTATION]: new Date(switchedAt).toISOString() } }),
  }),
  spec: {
    selector: target.to === "router" ? routerLabels : revisionLabels(owner.name, target.revision),
    ports: [
      {
        ...{ name: "http", port: 80, protocol: "TCP", appProtocol: "http" },
        targetPort: target.to === "router" ? target.port : "http",
      },
      {
        ...{ name: "grpc", port: GRPC_PORT, protocol: "TCP", appProtocol: "kubernetes.io/h2c" },
        targetPort: target.to === "router" ? target.port : "grpc",
      },
    ],
  },
});

type UsersMetadata = ModelDeploymentSpec["service"];

/** Berth's own win. */
const withUsers = (
  { annotations, labels }: NonNullable<UsersMetadata>,
  own: Service["metadata"],
): Service["metadata"] => ({
  ...own,
  ...(labels === undefined ? {} : { labels: { ...labels, ...own.labels } }),
  ...(annotations === undefined ? {} : { annotations: { ...annotations, ...own.annotations } }),
});

/** The routers' port that it sends requests to; undefined where it sends them to pods. */
export const routedPortOf = ({ spec }: Service): number | undefined => {
  const port = spec?.ports?.find(({ name }) => name === "http")?.targetPort;
  return spec?.selector?.[ROUTER_LABEL] === undefined || typeof port !== "number" ? undefined : port;
};

/** See `service`; undefined if it never selected another. */
export const switchedAtOf = ({ metadata }: Service): number | undefined => {
  const at = Date.parse(metadata.annotations?.[SWITCHED_ANNOTATION] ?? "");
  return Number.isNaN(at) ? undefined : at;
};

/** The headless Service of one revision: the addresses of its pods, whichever revision the clients' Service selects. */
export const revisionService = (owner: Owner, revision: string): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: childMeta(owner, revision, revision),
  spec: {
    clusterIP: "None",
    selector: revisionLabels(owner.name, revision),
    ports: [
      { name: "http", port: HTTP_PORT, targetPort: "http", protocol: "TCP", appProtocol: "http" },
      { name: "grpc", port: GRPC_PORT, targetPort: "grpc", protocol: "TCP", appProtocol: "kubernetes.io/h2c" },
    ],
  },
});
