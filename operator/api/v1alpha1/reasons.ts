/**
 * Every reason that a condition of a ModelDeployment can carry. They are part of the API: a reason's
 * name never changes its meaning. docs/troubleshooting.md is generated from this table.
 */
import type { FailureCode } from "../../../contract/pod.ts";

export type Explanation = {
  /** What it means. */
  means: string;
  /** What the user can do; empty where there is nothing to do. */
  cure: string;
};

const failures: Record<FailureCode, Explanation> = {
  ModelNotFound: {
    means: "The server answered 404, or the claim has no such file.",
    cure: "Correct `spec.model.uri`, or put the file there.",
  },
  ModelForbidden: {
    means:
      "The server answered 401 or 403, or an object store denied access, for example because a signed URI has expired; or the Secret of `spec.model.credentials` holds no credentials.",
    cure: "Correct the Secret that `spec.model.credentials` names, or the rights of its user, or sign the URI again; the message says which.",
  },
  CredentialsNotForHost: {
    means:
      "The key `hosts` of the Secret that `spec.model.credentials` names does not list the host of `spec.model.uri`. Nothing was sent.",
    cure: 'Add the host to the Secret: `kubectl patch secret NAME --type merge -p \'{"stringData":{"hosts":"models.example.com"}}\'`.',
  },
  ModelUnreachable: {
    means: "DNS, the connection, TLS or the server (5xx) failed, or the download took too long. Berth keeps trying.",
    cure: "Check the host from inside the cluster; for a private certificate authority set `spec.model.caBundle`.",
  },
  ModelUriInvalid: {
    means:
      "The runtime cannot or must not read this URI, or its server sends no length, so that a truncated model would look complete.",
    cure: "Correct `spec.model.uri`; see the message.",
  },
  ChecksumMismatch: {
    means: "The digest of the model is not `spec.model.sha256`.",
    cure: "Correct the checksum, or restore the file. Berth never serves other bytes.",
  },
  ModelChanged: {
    means: "The file at the URI has changed since this revision first became ready (its pin).",
    cure: "Restore the file, or give the new model a URI (or `sha256`) of its own.",
  },
  DiskFull: {
    means: "The model is larger than the node's free disk, or than the pod's limit of ephemeral-storage.",
    cure: "Raise `spec.resources.limits.ephemeral-storage`, or free disk on the node.",
  },
  ModelInvalid: {
    means: "The file is not an ONNX model, or does not load; the message names the operator or tensor.",
    cure: "Export the model again; check its opset against the runtime's onnxruntime.",
  },
  ExecutionProviderUnavailable: {
    means: "The runtime image or the node lacks the execution provider of `spec.server.executionProvider`.",
    cure: "Use a runtime image and nodes that have it, or set another `spec.server.executionProvider`.",
  },
  WarmUpFailed: {
    means: "The model loaded, but its first inference failed.",
    cure: "Run the model locally with the input shapes of the message, and export it again.",
  },
};

export const REASONS = {
  Serving: {
    means:
      "The stable revision serves. As the reason of `Ready`, all of its pods are ready, except those that come with the load or are being replaced; of `Available`, at least one is.",
    cure: "",
  },
  Starting: { means: "Pods start, or load the model.", cure: "" },
  Fetching: {
    means:
      "A pod has been fetching the model for more than ten seconds; every 30 seconds the message says how far it is.",
    cure: "",
  },
  ScaledToZero: {
    means: "No request came for `spec.scaling.idleBeforeZero`: no pod runs, and the next request starts one.",
    cure: "",
  },
  DevicesTaken: {
    means: "The load needs more pods than the matching nodes have room for; the running pods keep serving.",
    cure: "Free devices or add nodes; the message says how many are missing. Berth tries again every ten seconds.",
  },
  RouterMetricsAvailable: { means: "Every router reports its counts.", cure: "" },
  RouterMetricsUnavailable: {
    means: "A router does not report its counts to the operator, so Berth removes no pod.",
    cure: "Let the operator reach port 9090 of the pods `berth-router`: a NetworkPolicy, or a mesh with mutual TLS on that port, blocks it.",
  },
  BatchResultsDiffer: {
    means:
      "`BatchingEnded`: a request got one answer in a batch and another one alone, so its answer depends on the other requests of the batch. All pods of the revision stop batching; earlier answers may be wrong.",
    cure: "Export the model so that each row has its own scales, maxima and means (dynamic quantisation has one scale for the whole batch), or set `spec.server.batching.maxBatchSize: 1`. Either makes a new revision, which Berth proves anew.",
  },
  Unrecorded: {
    means:
      "`RevisionUnrecorded`: the ControllerRevision of a revision that gets requests is missing or cannot be read. The revision keeps its pods and its share of the requests.",
    cure: "Restore the ControllerRevision from a backup, or apply the spec of that revision again; without it Berth cannot return to that revision after the next promotion.",
  },
  Updating: { means: "A new revision starts; the stable one serves until it is ready.", cure: "" },
  RollingOut: {
    means:
      "The new revision gets a share of the requests, and Berth compares it with the stable one; the message has the evidence so far.",
    cure: "",
  },
  RolledBack: {
    means: "The new revision was worse than the stable one, or failed; the stable one has all requests again.",
    cure: "Correct the model, or apply the spec of the stable revision again. To try the same revision again, change `spec.rollout.analysis`, or annotate its ModelRollout with `berth.dev/action=retry`.",
  },
  Routing: {
    means:
      "A router is not ready, or does not follow the newest routing table yet; until then requests go directly to the pods.",
    cure: "Wait: what keeps routers from getting ready has a reason of its own. If `Routing` stays, read `kubectl logs -l berth.dev/router=true`.",
  },
  Retiring: { means: "The old revision keeps serving until every node routes to the new one.", cure: "" },
  ProgressingWithRetry: {
    means: "Something outside the spec fails; Berth keeps trying.",
    cure: "See the reason and message of `Ready`.",
  },
  Loaded: { means: "A pod of the newest revision has loaded the model and run a first inference.", cure: "" },
  Scheduled: { means: "Each pod of the newest revision has a node and its devices.", cure: "" },
  NoPodReady: { means: "No pod can answer requests.", cure: "See the reason and message of `Ready`." },
  InvalidSpec: {
    means: "The spec breaks a rule that the installed CRD lacks.",
    cure: "Install the CRD of this operator's version, and correct the field in the message.",
  },
  HttpNotAllowed: {
    means: "`spec.model.uri` is http://, which this operator does not allow.",
    cure: "Use https://, or start the operator with `--allow-http-models`.",
  },
  WriteUndone: {
    means:
      "An event: another writer keeps undoing what Berth writes. Berth repeats its write at ever longer intervals.",
    cure: "Stop the other writer; the event names it, and the field.",
  },
  ManagedElsewhere: {
    means:
      "An event: another release of Berth that watches the same namespace serves the ModelDeployment; this one leaves it alone.",
    cure: "Give each release namespaces of its own with the chart's `watchNamespaces`, or uninstall one of them.",
  },
  NotOwned: {
    means: "An object with a name that Berth needs exists and belongs to something else.",
    cure: "Delete or rename that object, or rename the ModelDeployment. Berth does not overwrite it.",
  },
  WriteRefused: {
    means:
      "The API server refuses an object that Berth writes, or does not answer in half a minute: a right is missing, a value is not allowed, or an admission webhook hangs.",
    cure: "Correct what the message names. Berth tries again after 1, 2, 4 … seconds, then every 30.",
  },
  StatusRefused: {
    means:
      "The API server refuses the status that Berth writes, so the status has only the refusal and the routing table. Requests are served as before.",
    cure: "Install the CRD of this operator's version; the message names the field. Berth tries again every 30 seconds.",
  },
  Unschedulable: {
    means: "No node has what a pod needs.",
    cure: "Free or add devices, CPU or memory, or request less; the message says which, and by how much the nearest nodes fall short.",
  },
  SchedulingGated: {
    means:
      "Pods wait for a scheduling gate: Kueue has not admitted them from `spec.scheduling.queueName` yet, or another gate holds them.",
    cure: "Check the queue and its quota: `kubectl get localqueues,workloads`. This wait has no deadline.",
  },
  ClaimsUnsupported: {
    means: "The API server drops `spec.accelerator.claims` from the pods, so Berth starts none.",
    cure: "Use Kubernetes 1.34 or later with dynamic resource allocation, or ask for devices by `count`.",
  },
  ImageUnavailable: {
    means: "A node cannot pull the runtime's image.",
    cure: "Check the operator's runtime image, `spec.imagePullSecrets` and the registry.",
  },
  ContainerConfigInvalid: {
    means: "A node cannot create a container, usually because a Secret or ConfigMap that the spec names is missing.",
    cure: "Create it in the namespace of the ModelDeployment.",
  },
  VolumeUnavailable: {
    means:
      "A pod has a node but not its volumes: a ConfigMap, Secret or claim that the spec names is missing, or cannot be attached. A pod with ResourceClaims may wait for their devices.",
    cure: "Create what the message names, in the namespace of the ModelDeployment; Kubernetes tries again by itself.",
  },
  QuotaExceeded: {
    means: "A ResourceQuota of the namespace has no room for the pods, or for an object that Berth writes.",
    cure: "Raise the quota, free some of it, or request less. Kubernetes tries again by itself.",
  },
  AdmissionDenied: {
    means:
      "An admission policy, a webhook, a LimitRange or Pod Security denies the pods, or an object that Berth writes.",
    cure: "Satisfy or change the policy that the message names. Kubernetes tries again by itself.",
  },
  PodsRefused: {
    means:
      "The API server refuses the pods for another reason than a quota or a policy: a PriorityClass or RuntimeClass is missing, or a value is wrong.",
    cure: "Create or correct what the message names.",
  },
  ProbeFailing: {
    means: "A container does not answer its probe, or was restarted because of that.",
    cure: "Read its log. If the first inference uses all of the CPU, raise `spec.resources.requests.cpu`.",
  },
  OutOfMemory: {
    means: "The kernel killed a container that used more memory than its limit, or than its node has.",
    cure: "Raise `spec.resources.limits.memory`; without a limit, raise `spec.resources.requests.memory`.",
  },
  CrashLooping: { means: "A container keeps exiting.", cure: "Read its log with `kubectl logs --previous`." },
  Evicted: {
    means: "The kubelet evicted a pod, because the node ran short of a resource or the pod exceeded a limit.",
    cure: "Set the requests or limits that the message names to what the model uses.",
  },
  DeviceUnavailable: {
    means:
      "The node cannot give a pod the device that it was scheduled for, or does not prepare the devices of its claims.",
    cure: "Check the node's device plugin or DRA driver, and the devices' health.",
  },
  ProgressDeadlineExceeded: {
    means: "A revision was not ready within `spec.rollout.progressDeadline` (default 10 minutes), and no pod says why.",
    cure: "Read the pods' events: `kubectl describe pod`.",
  },
  ...failures,
} satisfies Record<string, Explanation>;

export type Reason = keyof typeof REASONS;

const isReason = (name: string): name is Reason => Object.hasOwn(REASONS, name);

/** What can be wrong with a model, its URI, or what runs it. */
export const MODEL_FAILURES: ReadonlySet<Reason> = new Set(Object.keys(failures).filter(isReason));
