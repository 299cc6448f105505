/** The pods of a revision: an init container that fetches and verifies the model, and the server. */
import {
  ADMIN_PORT,
  BATCHING_DIRECTORY,
  BATCHING_KEY,
  batchingName,
  CA_BUNDLE_DIRECTORY,
  CA_BUNDLE_KEY,
  CLAIM_DIRECTORY,
  CREDENTIALS_DIRECTORY,
  DEFAULT_BATCHING,
  DEFAULT_REQUEST_TIMEOUT,
  DENIED_ENV,
  executionProviderOf,
  FETCH_CONTAINER,
  formatDelay,
  formatDuration,
  GRPC_PORT,
  HTTP_PORT,
  MODEL_DIRECTORY,
  MODEL_FILE,
  PIN_DIRECTORY,
  PIN_KEY,
  parseDelay,
  parseDuration,
  SERVER_CONTAINER,
  WEIGHTS_DIRECTORY,
} from "../../../api/v1alpha1/index.ts";
import { type PodUser, restrictedContainer, restrictedPod } from "../../../apply/restricted.ts";
import type { PodTemplate } from "../../../platform/kube/objects.ts";
import type { RevisionSpec } from "../revision-spec.ts";
import { podMetadata } from "./pod-metadata.ts";
import { fetchResourcesOf, resourcesOf } from "./pod-resources.ts";
import { podScheduling } from "./pod-scheduling.ts";

export type RenderSettings = {
  runtimeImage: string;
  runtimeImagePullPolicy: string;
  allowHttpModels: boolean;
  podUser?: PodUser;
};

/** Of the pods of a revision: what tells them that batching has ended in one of them. */
export const BATCHING_VOLUME = "batching";

type PodSpec = NonNullable<PodTemplate["spec"]>;
type Container = PodSpec["containers"][number];
type Volume = NonNullable<PodSpec["volumes"]>[number];
type Mount = NonNullable<Container["volumeMounts"]>[number];

/** After SIGTERM is due, a pod serves on for so long (seconds), until no node sends it requests any more. */
const PRE_STOP_SECONDS = 5;
/** Time (ms) to end the requests that run, on top of the longest request's own. */
const DRAIN_MARGIN_MS = 20_000;
const EXIT_MARGIN_SECONDS = 5;

/** The longest `rollout.progressDeadline`: 168 h. */
const LONGEST_START_SECONDS = 168 * 3600;

/** `revision` is also the name of the ConfigMap with the pin, which may not exist yet. */
export const podTemplate = (
  modelDeployment: string,
  revision: string,
  spec: RevisionSpec,
  settings: RenderSettings,
): PodTemplate => {
  const requestTimeoutMs = parseDuration(spec.server?.requestTimeout ?? DEFAULT_REQUEST_TIMEOUT);
  const drainTimeoutMs = requestTimeoutMs + DRAIN_MARGIN_MS;
  return {
    ...podMetadata(spec),
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: PRE_STOP_SECONDS + Math.ceil(drainTimeoutMs / 1000) + EXIT_MARGIN_SECONDS,
      securityContext: restrictedPod(settings.podUser),
      ...(spec.serviceAccountName === undefined ? {} : { serviceAccountName: spec.serviceAccountName }),
      ...(spec.imagePullSecrets === undefined ? {} : { imagePullSecrets: spec.imagePullSecrets }),
      ...podScheduling(modelDeployment, revision, spec),
      initContainers: [fetchContainer(spec, settings)],
      containers: [serverContainer(modelDeployment, spec, settings, requestTimeoutMs, drainTimeoutMs)],
      volumes: volumes(revision, spec),
    },
  };
};

const fetchContainer = (spec: RevisionSpec, settings: RenderSettings): Container => {
  const { uri, sha256, caBundle, credentials, proxy } = spec.model;
  const diskLimit = spec.resources?.limits?.["ephemeral-storage"] !== undefined;
  return {
    name: FETCH_CONTAINER,
    image: settings.runtimeImage,
    imagePullPolicy: settings.runtimeImagePullPolicy,
    args: [
      "fetch",
      // The kubelet puts a variable's value where an argument has $(NAME); $$ stands for a dollar sign.
      ...["--uri", uri.replaceAll("$", "$$$$"), "--to", MODEL_FILE],
      ...(sha256 === undefined ? [] : ["--sha256", sha256]),
      ...["--pin-file", `${PIN_DIRECTORY}/${PIN_KEY}`],
      ...(caBundle === undefined ? [] : ["--ca-file", `${CA_BUNDLE_DIRECTORY}/${CA_BUNDLE_KEY}`]),
      ...(credentials === undefined ? [] : ["--credentials", CREDENTIALS_DIRECTORY]),
      ...(proxy === undefined ? [] : ["--proxy", proxy.url, ...noProxyArgs(proxy.noProxy ?? [])]),
      ...(settings.allowHttpModels ? ["--allow-http"] : []),
      ...(diskLimit ? ["--disk-limit", "$(DISK_LIMIT)"] : []),
      ...["--progress-port", String(ADMIN_PORT)],
    ],
    // The kubelet evicts a pod that goes over this limit; the fetch ends with a clear error before that.
    ...(diskLimit
      ? { env: [{ name: "DISK_LIMIT", valueFrom: { resourceFieldRef: { resource: "limits.ephemeral-storage" } } }] }
      : {}),
    resources: fetchResourcesOf(spec),
    securityContext: restrictedContainer,
    // of a crash, which writes no message, the status shows the last line of the log
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [
      { name: "model", mountPath: MODEL_DIRECTORY },
      { name: "tmp", mountPath: "/tmp" },
      { name: "pin", mountPath: PIN_DIRECTORY, readOnly: true },
      ...mounts(spec),
    ],
  };
};

const noProxyArgs = (hosts: readonly string[]): string[] =>
  hosts.length === 0 ? [] : ["--no-proxy", hosts.toSorted().join(",")];

const batchingArgs = ({ server }: RevisionSpec): string[] => {
  const { maxBatchSize = DEFAULT_BATCHING.maxBatchSize, maxDelay = DEFAULT_BATCHING.maxDelay } = server?.batching ?? {};
  return ["--max-batch-size", String(maxBatchSize), "--max-delay", formatDelay(parseDelay(maxDelay))];
};

/** Without a field nothing is rendered: revisions from before it stay what they are. */
const corsArgs = ({ server }: RevisionSpec): string[] =>
  (server?.corsOrigins ?? []).length === 0 ? [] : ["--cors-origins", (server?.corsOrigins ?? []).toSorted().join(",")];

const serverContainer = (
  modelDeployment: string,
  spec: RevisionSpec,
  settings: RenderSettings,
  requestTimeoutMs: number,
  drainTimeoutMs: number,
): Container => ({
  name: SERVER_CONTAINER,
  image: settings.runtimeImage,
  imagePullPolicy: settings.runtimeImagePullPolicy,
  args: [
    "serve",
    ...["--model", MODEL_FILE, "--name", modelDeployment],
    ...["--host", "::", "--http-port", String(HTTP_PORT), "--grpc-port", String(GRPC_PORT)],
    ...["--admin-port", String(ADMIN_PORT)],
    ...["--execution-provider", executionProviderOf(spec)],
    ...batchingArgs(spec),
    ...["--batching-ended-file", `${BATCHING_DIRECTORY}/${BATCHING_KEY}`],
    ...corsArgs(spec),
    ...["--request-timeout", formatDuration(requestTimeoutMs), "--drain-timeout", formatDuration(drainTimeoutMs)],
  ],
  env: [
    { name: "ORT_DISABLE_TELEMETRY", value: "1" },
    // Where the shards' one copy of the weights goes: on the disk, so that it is no memory of the pod's.
    { name: "TMPDIR", value: WEIGHTS_DIRECTORY },
    ...userEnv(spec),
  ],
  ports: [
    { name: "http", containerPort: HTTP_PORT, protocol: "TCP" },
    { name: "grpc", containerPort: GRPC_PORT, protocol: "TCP" },
    { name: "admin", containerPort: ADMIN_PORT, protocol: "TCP" },
  ],
  resources: resourcesOf(spec, { devices: true }),
  securityContext: restrictedContainer,
  // A large model may take long to load: nothing else is asked of the pod before that. How long is rollout.progressDeadline's
  // to say, which is no part of the revision: so this is the longest that it can be.
  startupProbe: {
    httpGet: { path: "/readyz", port: "admin" },
    periodSeconds: 1,
    failureThreshold: LONGEST_START_SECONDS,
  },
  readinessProbe: { httpGet: { path: "/readyz", port: "admin" }, periodSeconds: 2 },
  livenessProbe: { httpGet: { path: "/livez", port: "admin" }, periodSeconds: 5, failureThreshold: 3 },
  lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } },
  terminationMessagePolicy: "FallbackToLogsOnError",
  volumeMounts: [
    { name: "model", mountPath: MODEL_DIRECTORY, readOnly: true },
    { name: "tmp", mountPath: "/tmp" },
    { name: "weights", mountPath: WEIGHTS_DIRECTORY },
    { name: BATCHING_VOLUME, mountPath: BATCHING_DIRECTORY, readOnly: true },
  ],
});

/** In the order of their names, which says nothing: no value refers to another one, since `$` is an ordinary character in them. */
const userEnv = ({ server }: RevisionSpec): { name: string; value: string }[] =>
  (server?.env ?? [])
    .filter(({ name }) => !DENIED.test(name))
    .map(({ name, value }) => ({ name, value: value.replaceAll("$", "$$$$") }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));

const DENIED = new RegExp(DENIED_ENV);

/** The PersistentVolumeClaim that a `pvc://` URI names. */
export const claimOf = (uri: string): string | undefined => /^pvc:\/\/([^/]+)\//.exec(uri)?.[1];

/** Where the model comes from, for the init container only: the server sees no credentials. */
const mounts = ({ model }: RevisionSpec): Mount[] => [
  ...(model.credentials ? [{ name: "credentials", mountPath: CREDENTIALS_DIRECTORY, readOnly: true }] : []),
  ...(model.caBundle ? [{ name: "ca", mountPath: CA_BUNDLE_DIRECTORY, readOnly: true }] : []),
  ...(claimOf(model.uri) ? [{ name: "claim", mountPath: CLAIM_DIRECTORY, readOnly: true }] : []),
];

const volumes = (revision: string, { model }: RevisionSpec): Volume[] => {
  const claim = claimOf(model.uri);
  return [
    { name: "model", emptyDir: {} },
    { name: "weights", emptyDir: {} },
    { name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "64Mi" } },
    { name: "pin", configMap: { name: revision, optional: true } },
    { name: BATCHING_VOLUME, configMap: { name: batchingName(revision), optional: true } },
    ...(model.credentials ? [{ name: "credentials", secret: { secretName: model.credentials.secretName } }] : []),
    ...(model.caBundle
      ? [
          {
            name: "ca",
            configMap: { name: model.caBundle.configMapName, items: [{ key: CA_BUNDLE_KEY, path: CA_BUNDLE_KEY }] },
          },
        ]
      : []),
    ...(claim ? [{ name: "claim", persistentVolumeClaim: { claimName: claim } }] : []),
  ];
};
