/**
 * What the operator that renders a pod and the program that runs inside it must agree on.
 * Changing a value here changes what a running pod of an older revision expects: the operator
 * must go on understanding every message that a released runtime can write.
 */

/** Data plane: the Open Inference Protocol and TensorFlow Serving's, over HTTP and over gRPC. */
export const HTTP_PORT = 8080;
export const GRPC_PORT = 8081;
/** /livez, /readyz, /metrics and /statusz; reachable through no Service, and from few namespaces. */
export const ADMIN_PORT = 9090;

/** What the init container answers on ADMIN_PORT, as JSON, while it fetches: how far it is. */
export const PROGRESS_PATH = "/progress";
/** `seconds` since the first byte; `total` where the source says it. */
export type FetchProgress = { bytes: number; total?: number; seconds: number };

/** What a router tells of its requests on ADMIN_PORT: lines of JSON, for as long as somebody listens. */
export const SIGNALS_PATH = "/signals";

/** On a revision's pods and on its headless Service, so also on the EndpointSlices that routers read. */
export const REVISION_LABEL = "berth.dev/revision";

/** emptyDir into which the init container puts the verified model, read-only in the server. */
export const MODEL_DIRECTORY = "/var/lib/berth/model";
export const MODEL_FILE = `${MODEL_DIRECTORY}/model.onnx`;
/** emptyDir for the server's own copy of the weights, which its shards share. */
export const WEIGHTS_DIRECTORY = "/var/lib/berth/weights";
/** Optional ConfigMap: the digest (`sha256:<hex>`) that this revision was first proved with. */
export const PIN_DIRECTORY = "/etc/berth/pin";
export const PIN_KEY = "digest";
/** Optional ConfigMap: once it is there, requests share no runs in any pod of the revision; it says where and why that was found. */
export const BATCHING_DIRECTORY = "/etc/berth/batching";
export const BATCHING_KEY = "ended";
/** Optional Secret, mounted by the kubelet: `token` (Bearer), or `username` and `password` (Basic), and `hosts` that they may be sent to. */
export const CREDENTIALS_DIRECTORY = "/etc/berth/credentials";
/** Optional ConfigMap with `ca.crt`: PEM certificates trusted besides the system's. */
export const CA_BUNDLE_DIRECTORY = "/etc/berth/ca";
export const CA_BUNDLE_KEY = "ca.crt";
/** The claim of a `pvc://claim/path` URI, mounted read-only in the init container. */
export const CLAIM_DIRECTORY = "/var/lib/berth/claim";

export const FETCH_CONTAINER = "fetch";
export const SERVER_CONTAINER = "server";

/**
 * Why a fetch or a server ended, as the JSON of its termination message (4096 bytes at most, the kubelet's bound).
 * `code` becomes the reason of the ModelDeployment's condition, `message` its text: it is written for the user.
 */
export type TerminationMessage =
  | { outcome: "fetched"; digest: string; bytes: number }
  | { outcome: "failed"; code: FailureCode; message: string };

export type FailureCode =
  | "ModelNotFound" // 404, or no such file in the claim
  | "ModelForbidden" // 401, 403, or an object store's code for them; no credentials where there must be some
  | "CredentialsNotForHost" // the Secret does not name the URI's host
  | "ModelUnreachable" // DNS, connection, TLS, 5xx, time-out: worth another try
  | "ModelUriInvalid" // a URI that this runtime cannot or must not read
  | "ChecksumMismatch" // not the bytes of `model.sha256`
  | "ModelChanged" // not the bytes that this revision is pinned to
  | "DiskFull" // larger than the disk, or than the pod's limit
  | "ModelInvalid" // not an ONNX model, or one that does not load: the message names the operator or tensor
  | "ExecutionProviderUnavailable" // this image, or this node, lacks the execution provider that was asked for
  | "WarmUpFailed"; // the model loaded and its first inference failed

/** Failures that the same spec can outlive, because what failed is outside of it. */
export const RETRYABLE_FAILURES: ReadonlySet<FailureCode> = new Set(["ModelUnreachable", "DiskFull"]);

/**
 * Edges of the routers' latency histogram, in seconds: 0.5 ms to 79 s, each 1.5^½ times the one before, so that a latency of 1.5
 * times is a shift by two buckets. The evidence compares revisions at these edges.
 */
export const LATENCY_EDGES: readonly number[] = Array.from({ length: 60 }, (_, step) => 0.0005 * 1.5 ** (step / 2));
