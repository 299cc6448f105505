/** The router's pods. */
import { ADMIN_PORT, formatDuration, ROUTER_NAME, routerLabels } from "../../../api/v1alpha1/index.ts";
import { type PodUser, restrictedContainer, restrictedPod } from "../../../apply/restricted.ts";
import { signatureOf, signed } from "../../../apply/signature.ts";
import { LEAST_ROUTERS } from "../../../domain/traffic/acknowledged.ts";
import { drainFor, drainOf } from "../../../domain/traffic/drain.ts";
import type { Deployment } from "../../../platform/kube/objects.ts";
import { type RouterOwner, routerMeta } from "./meta.ts";

export type RouterSettings = {
  runtimeImage: string;
  runtimeImagePullPolicy: string;
  podUser?: PodUser;
  /** Of each router; what is left out of `requests` or `limits` is not asked for, or not limited. */
  resources: RouterResources;
  /** Whose X-Forwarded-* they believe; none where it is left out. */
  trustForwarded?: string;
};

export type RouterResources = { requests: Readonly<Record<string, string>>; limits: Readonly<Record<string, string>> };

/** After its end is due, a router serves on for so long (seconds), until no node sends it connections any more. */
const PRE_STOP_SECONDS = 5;
const EXIT_MARGIN_SECONDS = 5;

/**
 * As this version would make it. Routers that were given longer to drain than they need now, and differ in nothing else, stay: they
 * are not replaced for that alone.
 */
export const routerDeployment = (owner: RouterOwner, settings: RouterSettings, observed?: Deployment): Deployment => {
  const needed = drainFor(owner.users);
  const given = drainOf(observed);
  if (observed !== undefined && given !== undefined && given > needed) {
    const kept = rendered(owner, settings, given);
    if (signatureOf(observed) === signatureOf(signed(kept))) return kept;
  }
  return rendered(owner, settings, needed);
};

const rendered = (owner: RouterOwner, settings: RouterSettings, drainMs: number): Deployment => {
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
          securityContext: restrictedPod(settings.podUser),
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

type Container = NonNullable<NonNullable<Deployment["spec"]>["template"]["spec"]>["containers"][number];

const container = (
  { resources, runtimeImage, runtimeImagePullPolicy, trustForwarded = "none" }: RouterSettings,
  drainMs: number,
): Container => ({
  name: "router",
  image: runtimeImage,
  imagePullPolicy: runtimeImagePullPolicy,
  args: [
    "route",
    ...["--host", "::", "--admin-port", String(ADMIN_PORT)],
    ...["--drain-timeout", formatDuration(drainMs)],
    // left out where nobody is trusted, so that routers are not replaced for it
    ...(trustForwarded === "none" ? [] : ["--trust-forwarded", trustForwarded]),
  ],
  // V8's own memory; bodies that are kept come on top, and are bounded by the router itself
  env: [{ name: "NODE_OPTIONS", value: "--max-old-space-size=192" }],
  ports: [{ name: "admin", containerPort: ADMIN_PORT, protocol: "TCP" }],
  resources: { requests: { ...resources.requests }, limits: { ...resources.limits } },
  securityContext: restrictedContainer,
  // a node whose cores are all busy answers late: that is no reason to end a router that serves
  startupProbe: {
    httpGet: { path: "/livez", port: "admin" },
    periodSeconds: 1,
    timeoutSeconds: 5,
    failureThreshold: 60,
  },
  readinessProbe: { httpGet: { path: "/readyz", port: "admin" }, periodSeconds: 2 },
  livenessProbe: {
    httpGet: { path: "/livez", port: "admin" },
    periodSeconds: 5,
    timeoutSeconds: 5,
    failureThreshold: 3,
  },
  lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } },
  terminationMessagePolicy: "FallbackToLogsOnError",
  volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
});
