/** The router's pods. */
import {
  ADMIN_PORT,
  DEFAULT_MAX_WAIT,
  DEFAULT_REQUEST_TIMEOUT,
  formatDuration,
  type ModelDeployment,
  parseDuration,
  ROUTER_NAME,
  routerLabels,
} from "../../api/v1alpha1/index.ts";
import { restrictedContainer, restrictedPod } from "../../apply/restricted.ts";
import type { Deployment } from "../../kube/objects.ts";
import { LEAST_ROUTERS } from "../acknowledged.ts";
import { type RouterOwner, routerMeta } from "./meta.ts";

export type RouterSettings = { runtimeImage: string; runtimeImagePullPolicy: string };

/** After its end is due, a router serves on for so long (seconds), until no node sends it connections any more. */
const PRE_STOP_SECONDS = 5;
const EXIT_MARGIN_SECONDS = 5;
/** On top of the longest hold and the longest request: the time to learn of the drain. */
const DRAIN_MARGIN_MS = 10_000;

export const routerDeployment = (owner: RouterOwner, settings: RouterSettings): Deployment => {
  const drainMs = Math.max(...owner.users.map(longestRequestMs)) + DRAIN_MARGIN_MS;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: routerMeta(owner),
    spec: {
      replicas: LEAST_ROUTERS,
      revisionHistoryLimit: 1,
      selector: { matchLabels: routerLabels },
      // one that is replaced goes only after the new one is ready
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels: routerLabels },
        spec: {
          serviceAccountName: ROUTER_NAME,
          automountServiceAccountToken: true,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: PRE_STOP_SECONDS + Math.ceil(drainMs / 1000) + EXIT_MARGIN_SECONDS,
          securityContext: restrictedPod,
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "kubernetes.io/hostname",
              whenUnsatisfiable: "ScheduleAnyway",
              labelSelector: { matchLabels: routerLabels },
            },
          ],
          containers: [container(settings, drainMs)],
          volumes: [{ name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "64Mi" } }],
        },
      },
    },
  };
};

/** The longest hold and then the longest request. */
const longestRequestMs = ({ spec }: ModelDeployment): number =>
  msOf(spec.traffic?.queue?.maxWait, DEFAULT_MAX_WAIT) + msOf(spec.server?.requestTimeout, DEFAULT_REQUEST_TIMEOUT);

/** One that no API server of this version would have let through must not cost the others their router. */
const msOf = (duration: string | undefined, fallback: string): number => {
  try {
    return parseDuration(duration ?? fallback);
  } catch {
    return parseDuration(fallback);
  }
};

type Container = NonNullable<NonNullable<Deployment["spec"]>["template"]["spec"]>["containers"][number];

const container = ({ runtimeImage, runtimeImagePullPolicy }: RouterSettings, drainMs: number): Container => ({
  name: "router",
  image: runtimeImage,
  imagePullPolicy: runtimeImagePullPolicy,
  args: [
    "route",
    ...["--host", "0.0.0.0", "--admin-port", String(ADMIN_PORT)],
    ...["--drain-timeout", formatDuration(drainMs)],
  ],
  // V8's own memory; bodies that are kept come on top, and are bounded by the router itself
  env: [{ name: "NODE_OPTIONS", value: "--max-old-space-size=192" }],
  ports: [{ name: "admin", containerPort: ADMIN_PORT, protocol: "TCP" }],
  resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "768Mi" } },
  securityContext: restrictedContainer,
  startupProbe: { httpGet: { path: "/livez", port: "admin" }, periodSeconds: 1, failureThreshold: 60 },
  readinessProbe: { httpGet: { path: "/readyz", port: "admin" }, periodSeconds: 2 },
  livenessProbe: { httpGet: { path: "/livez", port: "admin" }, periodSeconds: 5, failureThreshold: 3 },
  lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } },
  terminationMessagePolicy: "FallbackToLogsOnError",
  volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
});
