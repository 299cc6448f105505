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
      "The server answered 401, 403, or with an error code of an object store that says as much, such as of a signed URI that has expired; or the Secret of `spec.model.credentials` holds no credentials.",
    cure: "Correct the Secret that `spec.model.credentials` names, or the rights of its user; sign the URI anew. See the message.",
  },
  CredentialsNotForHost: {
    means:
      "The Secret that `spec.model.credentials` names does not say, in its key `hosts`, that it may be sent to the host of `spec.model.uri`. Nothing was sent.",
    cure: 'Who may write the Secret adds the host: `kubectl patch secret NAME --type merge -p \'{"stringData":{"hosts":"models.example.com"}}\'`.',
  },
  ModelUnreachable: {
    means: "DNS, the connection, TLS or the server (5xx) failed, or it took too long. Berth goes on trying.",
    cure: "Check the host from inside the cluster; for a private certificate authority set `spec.model.caBundle`.",
  },
  ModelUriInvalid: {
    means:
      "The runtime cannot or must not read this URI, or its server does not tell a whole model from one that was cut off.",
    cure: "Correct `spec.model.uri`; see the message.",
  },
  ChecksumMismatch: {
    means: "The bytes are not those of `spec.model.sha256`.",
    cure: "Correct the checksum, or restore the file. Nothing that differs is ever served.",
  },
  ModelChanged: {
    means: "The file at the URI is no longer the one that this revision was proved with (its pin).",
    cure: "Restore the file, or give the new model a URI (or `sha256`) of its own.",
  },
  DiskFull: {
    means: "The model is larger than the disk, or than the pod's limit of ephemeral-storage.",
    cure: "Raise `spec.resources.limits.ephemeral-storage`, or free the node's disk.",
  },
  ModelInvalid: {
    means: "The file is not an ONNX model, or does not load; the message names the operator or tensor.",
    cure: "Export the model again; check its opset against the runtime's onnxruntime.",
  },
  ExecutionProviderUnavailable: {
    means: "The runtime image, or the node, lacks the execution provider that was asked for.",
    cure: "Use a runtime image that has it, or set `spec.server.executionProvider`.",
  },
  WarmUpFailed: {
    means: "The model loaded, but its first inference failed.",
    cure: "Run the model locally with the shapes of its inputs; see the message.",
  },
};

export const REASONS = {
  Serving: { means: "All wanted pods of the stable revision are ready.", cure: "" },
  Starting: { means: "Pods are being started, or are loading the model.", cure: "" },
  Fetching: {
    means:
      "A pod has been fetching the model for more than ten seconds; the message says how far it is, every 30 seconds.",
    cure: "",
  },
  ScaledToZero: {
    means:
      "Nobody has asked for anything for `scaling.idleBeforeZero`: there is no pod, and the next request starts one.",
    cure: "",
  },
  DevicesTaken: {
    means: "The load asks for more pods than the nodes that match have room for; those that there are go on serving.",
    cure: "Free devices or add nodes; the message says how many are missing. It is tried again every ten seconds.",
  },
  Heard: { means: "Each router tells what it counts.", cure: "" },
  RouterNotHeard: {
    means: "A router does not tell the operator what it counts, so that the number of pods stays as it is.",
    cure: "Something blocks the operator's way to port 9090 of the pods `berth-router`: a NetworkPolicy, or a mesh that wants mutual TLS there.",
  },
  AnswersDiffered: {
    means:
      "`BatchingEnded`: a request that was answered from a batch was run again alone and answered otherwise, so that its answer depended on the requests beside it. Requests run apart in that pod until it starts again; answers before that may be wrong.",
    cure: "Export the model so that each row has its own scales, maxima and means (dynamic quantisation has one scale for the whole batch), or set `spec.server.batching.maxBatchSize: 1`.",
  },
  Unrecorded: {
    means:
      "`RevisionUnrecorded`: the ControllerRevision of a revision that serves, or is on trial, was deleted or cannot be read. The revision keeps its pods and its share of the requests.",
    cure: "See the message: restore the ControllerRevision from a backup, or apply the spec that it was made from again. Else that revision cannot be gone back to once another one has taken over.",
  },
  Updating: { means: "A new revision is starting; the stable one serves until it is ready.", cure: "" },
  RollingOut: {
    means:
      "The new revision gets a share of the requests, and is compared with the stable one; the message says what is known so far.",
    cure: "",
  },
  RolledBack: {
    means: "The new revision was worse than the stable one, or failed; the stable one has all requests again.",
    cure: "Correct the model, or go back to the spec of the stable revision. A change of `spec.rollout.analysis` tries the same revision again.",
  },
  Routing: {
    means:
      "The routers are not all ready, or not all of them follow the newest table; requests go directly to the pods until they do.",
    cure: "What is in the routers' way has a reason of its own in its place. If it stays: `kubectl logs -l berth.dev/router=true`.",
  },
  Retiring: { means: "The old revision keeps serving until every node sends its requests to the new one.", cure: "" },
  ProgressingWithRetry: {
    means: "Something outside of the spec is in the way; Berth goes on trying.",
    cure: "See the reason and message of `Ready`.",
  },
  Loaded: { means: "A pod of the newest revision has loaded the model and run a first inference.", cure: "" },
  Scheduled: { means: "Each pod of the newest revision has its node and its devices.", cure: "" },
  NoPodReady: { means: "No pod can answer requests.", cure: "See the reason and message of `Ready`." },
  InvalidSpec: {
    means: "The spec breaks a rule that the installed CRD does not know.",
    cure: "Install the CRD that belongs to this operator, and correct the field in the message.",
  },
  HttpNotAllowed: {
    means: "`spec.model.uri` is http://, which this operator was not started to allow.",
    cure: "Use https://, or start the operator with `--allow-http-models`.",
  },
  WriteUndone: {
    means:
      "An event: something else undoes what Berth writes, again and again. Berth goes on, at ever longer intervals.",
    cure: "The event names the field and who changes it: end one of the two.",
  },
  ManagedElsewhere: {
    means:
      "An event: another release of Berth that looks at the same namespace serves the ModelDeployment; this one leaves it alone.",
    cure: "Give each release namespaces of its own with the chart's `watchNamespaces`, or uninstall one of them.",
  },
  NotOwned: {
    means: "An object with a name that Berth needs exists already and belongs to something else.",
    cure: "Delete or rename that object, or rename the ModelDeployment. Berth does not overwrite it.",
  },
  WriteRefused: {
    means:
      "The API server does not take an object that Berth writes: missing rights, or a value that it does not allow.",
    cure: "The message has the API server's words. It is tried again every 30 seconds.",
  },
  StatusRefused: {
    means:
      "The API server does not take the status that Berth writes, so only the refusal and the routing table are shown. Requests are served as before.",
    cure: "The message names the field. Install the CRD that belongs to this operator, with the operator's version. It is tried again every 30 seconds.",
  },
  Unschedulable: {
    means: "No node has what a pod needs.",
    cure: "Free or add devices, cpu or memory, or ask for less; the message says which, and by how much the nearest nodes fall short.",
  },
  SchedulingGated: {
    means:
      "Pods are kept from the scheduler: Kueue has yet to admit them from `spec.scheduling.queueName`, or another gate holds them.",
    cure: "See `kubectl get localqueues,workloads`: quota, or a queue that does not exist. This wait has no deadline.",
  },
  ClaimsUnsupported: {
    means: "The API server leaves `spec.accelerator.claims` out of the pods, so none is started.",
    cure: "Use Kubernetes 1.34 or later with dynamic resource allocation, or ask for devices by `count`.",
  },
  ImageUnavailable: {
    means: "The runtime's image cannot be pulled.",
    cure: "Check the operator's runtime image, `spec.imagePullSecrets` and the registry.",
  },
  ContainerConfigInvalid: {
    means: "A container cannot be made, usually because a Secret or ConfigMap that the spec names is missing.",
    cure: "Create it in the namespace of the ModelDeployment.",
  },
  VolumeUnavailable: {
    means:
      "A pod has its node but not its volumes: a ConfigMap, Secret or claim that the spec names is missing, or cannot be attached; of a pod with ResourceClaims it may be their devices.",
    cure: "Create what the message names, in the namespace of the ModelDeployment; it is tried again by itself.",
  },
  QuotaExceeded: {
    means: "A ResourceQuota of the namespace has no room for the pods, or for an object that Berth writes.",
    cure: "Raise the quota, free some of it, or ask for less. It is tried again by itself.",
  },
  AdmissionDenied: {
    means:
      "An admission policy, a webhook, a LimitRange or Pod Security denies the pods, or an object that Berth writes.",
    cure: "Satisfy or change the policy that the message names. It is tried again by itself.",
  },
  PodsRefused: {
    means:
      "The API server refuses the pods, by neither a quota nor a policy: a PriorityClass or RuntimeClass is missing, or a value is wrong.",
    cure: "See the message; create what is missing.",
  },
  ProbeFailing: {
    means: "A container runs but does not answer its probe, or was started again because of that.",
    cure: "Read its log. A first inference that takes all of the CPU needs more of it: `spec.resources.requests.cpu`.",
  },
  OutOfMemory: {
    means: "A container used more memory than its limit and was killed.",
    cure: "Raise `spec.resources.limits.memory`.",
  },
  CrashLooping: { means: "A container ends again and again.", cure: "Read its log with `kubectl logs --previous`." },
  Evicted: {
    means: "The kubelet evicted a pod, because the node ran short or the pod went over a limit.",
    cure: "See the message; set requests that match the use.",
  },
  DeviceUnavailable: {
    means:
      "The node could not give a pod the device that it was scheduled for, or does not prepare the devices of its claims.",
    cure: "Check the node's device plugin or DRA driver, and the devices' health.",
  },
  ProgressDeadlineExceeded: {
    means: "A revision was not ready within `rollout.progressDeadline` (10 minutes), and no pod says why.",
    cure: "Look at the pods' events.",
  },
  ...failures,
} satisfies Record<string, Explanation>;

export type Reason = keyof typeof REASONS;

const isReason = (name: string): name is Reason => Object.hasOwn(REASONS, name);

/** What can be wrong with a model, its URI, or what runs it. */
export const MODEL_FAILURES: ReadonlySet<Reason> = new Set(Object.keys(failures).filter(isReason));
