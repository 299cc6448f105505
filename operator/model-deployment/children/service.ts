import { GRPC_PORT, HTTP_PORT, revisionLabels, SWITCHED_ANNOTATION, serviceName } from "../../api/v1alpha1/index.ts";
import type { Service } from "../../kube/objects.ts";
import { childMeta, type Owner } from "./owner.ts";

/**
 * The Service that clients use, on port 80 for HTTP and 8081 for gRPC, sending requests to the ready pods of `revision`.
 * @param switchedAt since when it does, if it selected another before; milliseconds since 1970
 */
export const service = (owner: Owner, revision: string, switchedAt?: number): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    ...childMeta(owner, serviceName(owner.name)),
    ...(switchedAt === undefined ? {} : { annotations: { [SWITCHED_ANNOTATION]: new Date(switchedAt).toISOString() } }),
  },
  spec: {
    selector: revisionLabels(owner.name, revision),
    ports: [
      { name: "http", port: 80, targetPort: "http", protocol: "TCP", appProtocol: "http" },
      { name: "grpc", port: GRPC_PORT, targetPort: "grpc", protocol: "TCP", appProtocol: "kubernetes.io/h2c" },
    ],
  },
});

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
