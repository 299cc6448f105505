import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Deployment, Pod } from "../../platform/kube/objects.ts";
import { amountsOf } from "../placement/request.ts";
import type { Room } from "../placement/room.ts";
import type { Mount } from "./cause.ts";
import { explain, givenUp, patience } from "./explain.ts";

type Status = NonNullable<Pod["status"]>;
type Container = NonNullable<Status["containerStatuses"]>[number];

const pod = (name: string, status: Status): Pod => ({ apiVersion: "v1", kind: "Pod", metadata: { name }, status });
const container = (name: string, state: Partial<Container>): Container => ({
  name,
  image: "berth-runtime:1",
  imageID: "",
  ready: false,
  restartCount: 0,
  ...state,
});
const pending = (name: string, message: string) =>
  pod(name, { conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }] });
const held = (name: string, gate: string, labels: Record<string, string> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels },
  spec: { containers: [], schedulingGates: [{ name: gate }] },
  status: { conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] },
});
const queue = { "kueue.x-k8s.io/queue-name": "team-a" };
const elsewhere: Pod = {
  ...pending("a", "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. preemption: none"),
  spec: {
    containers: [],
    nodeSelector: { pool: "inference" },
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "strategy", operator: "NotIn", values: ["mps", "other"] }] }],
        },
      },
    },
  },
};
const fetch = (state: Partial<Container>) => pod("a", { initContainerStatuses: [container("fetch", state)] });
const server = (state: Partial<Container>) => pod("a", { containerStatuses: [container("server", state)] });
const failed = (code: string) => JSON.stringify({ outcome: "failed", code, message: `${code} here` });
const ended = (exitCode: number, message?: string, reason = "Error") => ({
  terminated: { exitCode, reason, ...(message === undefined ? {} : { message }) },
});

const gpu =
  "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.";
const limited = (name: string, memory: string): NonNullable<Pod["spec"]> => ({
  containers: [{ name, resources: { limits: { memory } } }],
});

/** Of a pod with claims. */
const claiming = (message: string): Pod => ({
  ...pending("a", message),
  spec: { containers: [], resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "one-gpu" }] },
});

type Case = [name: string, pods: Pod[], reason: string, message: RegExp, stalled: boolean];
const cases: Case[] = [
  [
    "devices",
    [pending("a", gpu), pending("b", gpu)],
    "Unschedulable",
    /^2 of 5 pods wait for 1 nvidia.com\/gpu each: 0\/2 nodes have one free: 2 Insufficient nvidia.com\/gpu$/,
    false,
  ],
  [
    "a claim",
    [pending("a", '0/1 nodes are available: persistentvolumeclaim "models" not found. not found')],
    "Unschedulable",
    /PersistentVolumeClaim models, which does not exist/,
    false,
  ],
  [
    "node labels",
    [elsewhere],
    "Unschedulable",
    /wait for a node that is labelled pool: inference and not labelled strategy: mps or other: 0\/2 nodes fit/,
    false,
  ],
  [
    "devices, as Kubernetes 1.35 words it",
    [
      pending(
        "a",
        "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint(s). still not schedulable, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
      ),
    ],
    "Unschedulable",
    /: 0\/2 nodes have one free: 1 Insufficient nvidia.com\/gpu, 1 node\(s\) had untolerated taint\(s\)$/,
    false,
  ],
  [
    "devices, after a deallocation",
    [pending("a", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. deallocation of ResourceClaim completed")],
    "Unschedulable",
    /: 1 Insufficient nvidia.com\/gpu$/,
    false,
  ],
  [
    "claims that cannot be allocated",
    [
      claiming(
        "0/2 nodes are available: 2 cannot allocate all claims. still not schedulable, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.",
      ),
    ],
    "Unschedulable",
    /^1 of 5 pods wait for the devices of claim gpu \(spec\.accelerator\.claims\): 0\/2 nodes fit: 2 cannot allocate all claims; kubectl get resourceslices,resourceclaims -A shows/,
    false,
  ],
  [
    "devices that a DeviceClass offers as a resource",
    [pending("a", "0/2 nodes are available: 2 cannot allocate all claims. still not schedulable")],
    "Unschedulable",
    /^1 of 5 pods wait for 1 nvidia\.com\/gpu each: 0\/2 nodes fit: 2 cannot allocate all claims; kubectl get/,
    false,
  ],
  [
    "a DeviceClass that is not there",
    [
      claiming(
        "0/2 nodes are available: request req-0: device class gpu.example.com does not exist. still not schedulable",
      ),
    ],
    "Unschedulable",
    /: request req-0: device class gpu\.example\.com does not exist; install the driver that brings DeviceClass gpu\.example\.com, or/,
    false,
  ],
  [
    "a claim that is not made, as its template is not there",
    [claiming('0/2 nodes are available: pod "default/a": ResourceClaim not created yet. not found')],
    "Unschedulable",
    /ResourceClaim not created yet; check that ResourceClaimTemplate one-gpu exists$/,
    false,
  ],
  [
    "a ResourceClaim that is not there",
    [claiming('0/2 nodes are available: resourceclaim.resource.k8s.io "nowhere" not found. still not schedulable')],
    "Unschedulable",
    /"nowhere" not found; create ResourceClaim nowhere, or correct spec\.accelerator\.claims$/,
    false,
  ],
  [
    "a queue of Kueue",
    [held("a", "kueue.x-k8s.io/admission", queue), held("b", "kueue.x-k8s.io/topology", queue)],
    "SchedulingGated",
    /^2 of 5 pods wait in queue team-a until Kueue admits them; kubectl get localqueue team-a shows whether/,
    false,
  ],
  [
    "another gate",
    [held("a", "example.com/quota", queue)],
    "SchedulingGated",
    /^1 of 5 pods wait until the controllers of their scheduling gates remove them: example.com\/quota$/,
    false,
  ],
  [
    "what no node has before what waits its turn",
    [held("a", "kueue.x-k8s.io/admission", queue), pending("b", gpu)],
    "Unschedulable",
    /^1 of 5 pods wait for 1 nvidia/,
    false,
  ],
  [
    "an image",
    [
      fetch({
        state: {
          waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "x": ErrImagePull: no such host' },
        },
      }),
    ],
    "ImageUnavailable",
    /berth-runtime:1 cannot be pulled: no such host$/,
    false,
  ],
  [
    "a Secret",
    [fetch({ state: { waiting: { reason: "CreateContainerConfigError", message: 'secret "t" not found' } } })],
    "ContainerConfigInvalid",
    /secret "t" not found/,
    false,
  ],
  [
    "a 404",
    [fetch({ state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: ended(1, failed("ModelNotFound")) })],
    "ModelNotFound",
    /cannot be fetched: ModelNotFound here/,
    true,
  ],
  [
    "a 404, tried again",
    [fetch({ state: { running: {} }, lastState: ended(1, failed("ModelNotFound")) })],
    "ModelNotFound",
    /cannot be fetched/,
    true,
  ],
  [
    "a dead host",
    [fetch({ state: ended(1, failed("ModelUnreachable")) })],
    "ModelUnreachable",
    /ModelUnreachable here/,
    false,
  ],
  [
    "a bad model",
    [server({ state: ended(1, failed("ModelInvalid")) })],
    "ModelInvalid",
    /cannot be served: ModelInvalid here/,
    true,
  ],
  ["memory", [server({ state: ended(137, undefined, "OOMKilled") })], "OutOfMemory", /requests.memory/, true],
  [
    "a crash, with the last line of its log",
    [server({ state: ended(139, "loading\nterminate called\n") })],
    "CrashLooping",
    /exit code 139 \(segmentation fault\), last log line "terminate called"; see/,
    false,
  ],
  [
    "a crash of ours, which logs JSON",
    [server({ state: ended(134, '{"level":30,"msg":"serving","port":8080}\n') })],
    "CrashLooping",
    /exit code 134, last log line "serving"; see/,
    false,
  ],
  [
    "a server that its liveness probe stopped",
    [server({ restartCount: 1, state: { running: {} }, lastState: ended(0) })],
    "ProbeFailing",
    /server of pod a was restarted because its liveness or startup probe failed; see kubectl logs a -c server --prev/,
    false,
  ],
  [
    "a crash loop",
    [server({ restartCount: 3, lastState: ended(1) })],
    "CrashLooping",
    /exit code 1; see kubectl logs a -c server/,
    true,
  ],
  [
    "an eviction",
    [pod("a", { phase: "Failed", reason: "Evicted", message: "low on\nmemory" })],
    "Evicted",
    /evicted: low on memory; another pod replaces it$/,
    false,
  ],
  [
    "an eviction from a node that ran short",
    [
      pod("a", {
        phase: "Failed",
        reason: "Evicted",
        message: "The node was low on resource: memory. Threshold 100Mi. ",
      }),
    ],
    "Evicted",
    /Threshold 100Mi; set spec\.resources\.requests\.memory to what the model uses; another pod replaces it$/,
    false,
  ],
  [
    "an eviction for what it wrote",
    [
      pod("a", {
        phase: "Failed",
        reason: "Evicted",
        message: "Pod ephemeral local storage usage exceeds the total limit of containers 64Mi. ",
      }),
    ],
    "Evicted",
    /containers 64Mi; raise spec\.resources\.limits\.ephemeral-storage$/,
    false,
  ],
  ...(["ModelForbidden", "ChecksumMismatch", "ModelUriInvalid", "ModelChanged"] as const).map(
    (code): Case => [code, [fetch({ state: ended(1, failed(code)) })], code, /cannot be fetched: \w+ here$/, true],
  ),
  ["a full disk", [fetch({ state: ended(1, failed("DiskFull")) })], "DiskFull", /cannot be fetched: DiskFull/, false],
  ...(["ExecutionProviderUnavailable", "WarmUpFailed"] as const).map(
    (code): Case => [code, [server({ state: ended(1, failed(code)) })], code, /cannot be served: \w+ here$/, true],
  ),
  [
    "memory, with a limit",
    [{ ...server({ state: ended(137, undefined, "OOMKilled") }), spec: limited("server", "1Gi") }],
    "OutOfMemory",
    /server of pod a needed more memory than its limit of 1Gi; raise spec\.resources\.limits\.memory$/,
    true,
  ],
  [
    "the model before the devices",
    [pending("a", gpu), server({ state: ended(1, failed("ModelInvalid")) })],
    "ModelInvalid",
    /./,
    true,
  ],
];

/** A minute before `subject.now`, less so many seconds. */
const secondsAgo = (seconds: number): string => new Date(Date.UTC(2026, 0, 1, 0, 1) - seconds * 1000).toISOString();
const placed = (seconds: number): Pod =>
  pod("a", {
    conditions: [
      { type: "PodScheduled", status: "True", lastTransitionTime: secondsAgo(seconds) },
      { type: "PodReadyToStartContainers", status: "False", lastTransitionTime: secondsAgo(seconds) },
    ],
  });
const secret = { what: "Secret s3-read (spec.model.credentials)", isClaim: false };
const bundle = { what: "ConfigMap company-ca (spec.model.caBundle)", isClaim: false };
const disk = { what: "PersistentVolumeClaim models (spec.model.uri)", isClaim: true };

const subject = {
  deployment: undefined,
  wanted: 5,
  devices: { resource: "nvidia.com/gpu", count: 1 },
  lacksClaims: false,
  mounts: [],
  rooms: undefined,
  now: Date.UTC(2026, 0, 1, 0, 1),
};

describe("explain", () => {
  for (const [name, pods, reason, message, stalled] of cases) {
    it(name, () => {
      const cause = explain({ ...subject, pods });
      assert.equal(cause?.reason, reason);
      assert.match(cause?.message ?? "", message);
      assert.equal(cause?.stalled, stalled);
    });
  }

  it("finds nothing wrong with a pod that is starting", () => {
    assert.equal(explain({ ...subject, pods: [server({ state: { running: {} } })] }), undefined);
  });

  it("says that claims are dropped, before what comes of it", () => {
    const cause = explain({ ...subject, lacksClaims: true, pods: [pending("a", gpu)] });
    assert.equal(cause?.reason, "ClaimsUnsupported");
    assert.match(cause?.message ?? "", /^spec\.accelerator\.claims: /);
    assert.equal(cause?.stalled, true);
  });

  it("waits a while for volumes, then says which", () => {
    const at = (seconds: number, mounts: Mount[]) => ({ ...subject, pods: [placed(seconds)], mounts });
    assert.equal(explain(at(4, [secret])), undefined);
    assert.equal(patience(at(4, [secret])), 1000);
    const missing = explain(at(5, [secret]));
    assert.equal(missing?.reason, "VolumeUnavailable");
    assert.match(missing?.message ?? "", /^pod a waits .*: Secret s3-read \(spec\.model\.credentials\) does not exist/);
    assert.match(explain(at(5, [bundle, secret]))?.message ?? "", /one of ConfigMap .*, Secret .* describe pod a says/);
    assert.equal(explain(at(59, [disk])), undefined);
    assert.equal(patience(at(59, [disk])), 1000);
    assert.match(explain(at(60, [disk]))?.message ?? "", /PersistentVolumeClaim models \(spec\.model\.uri\)/);
    assert.equal(explain(at(600, [])), undefined);
    assert.equal(patience(at(600, [secret])), undefined);
  });

  it("waits a while for devices of claims, and does not take them for volumes", () => {
    const on = (spec: Partial<NonNullable<Pod["spec"]>>, status: Partial<Status> = {}) => {
      const one = placed(10);
      return { ...one, spec: { containers: [], nodeName: "n", ...spec }, status: { ...one.status, ...status } };
    };
    const claims = { resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "one-gpu" }] };
    const told = (pods: Pod[], mounts: Mount[], now = subject.now) => explain({ ...subject, pods, mounts, now });
    assert.equal(told([on(claims)], [], subject.now - 1), undefined);
    assert.equal(told([on(claims)], [bundle], subject.now - 1), undefined);
    assert.deepEqual(
      [told([on(claims)], [])?.reason, told([on(claims)], [])?.message],
      [
        "DeviceUnavailable",
        "pod a waits for its devices: node n has not prepared the devices of claim gpu (spec.accelerator.claims), for example because " +
          "their DRA driver does not run there; kubectl describe pod a says why",
      ],
    );
    assert.match(
      told([on(claims)], [bundle])?.message ?? "",
      /^pod a waits for its volumes or devices: ConfigMap company-ca .* cannot be mounted, or node n has not prepared .*; kubectl describe pod a says which$/,
    );
    const extendedResourceClaimStatus = {
      resourceClaimName: "a-extended",
      requestMappings: [{ containerName: "server", requestName: "r", resourceName: "nvidia.com/gpu" }],
    };
    assert.match(
      told([on({}, { extendedResourceClaimStatus })], [])?.message ?? "",
      /has not prepared nvidia\.com\/gpu \(spec\.accelerator\), for example/,
    );
  });

  it("says what the nodes have, where none has what is asked for", () => {
    const labelled = (node: string, labels: Record<string, string>): Room => ({
      ...{ node, labels, taints: [], total: new Map(), free: new Map() },
    });
    const why = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. preemption: none";
    const asks = (spec: Partial<NonNullable<Pod["spec"]>>, ...labels: Record<string, string>[]) =>
      explain({
        ...subject,
        rooms: labels.map((one, index) => labelled(`n${index}`, one)),
        pods: [{ ...pending("a", why), spec: { containers: [], ...spec } }],
      })?.message ?? "";
    const memory = "nvidia.com/gpu.memory";
    const large = {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: memory, operator: "Gt", values: ["24575"] }] }],
          },
        },
      },
    };
    assert.match(
      asks(large, { [memory]: "23034" }, { [memory]: "15360" }, { [memory]: "23034" }),
      /a node that is labelled nvidia\.com\/gpu\.memory above 24575 MiB \(nodes have 15360, 23034\): 0\/2 nodes fit/,
    );
    assert.match(asks(large, { [memory]: "40000" }), /above 24575 MiB: 0\/2 nodes fit/);
    assert.match(asks({ nodeSelector: { constructor: "" } }, {}), /labelled constructor \(no node has that label\): /);
    const pools = ["a", "b", "c", "d", "e"].map((pool) => ({ pool }));
    assert.match(asks({ nodeSelector: { pool: "x" } }, ...pools), /pool: x \(nodes have a, b, c and 2 more values\): /);
    assert.match(
      asks({ nodeSelector: { pool: "a", zone: "z" } }, ...pools),
      /pool: a and labelled zone: z \(no node has/,
    );
  });

  it("goes through the nodes once for each label, however many pods are explained by the same survey", () => {
    let looks = 0;
    const rooms = Array.from({ length: 100 }, (_, index): Room => {
      const plain = { node: `n${index}`, labels: {}, taints: [], total: new Map(), free: new Map() };
      const get = () => {
        looks++;
        return { pool: `p${index % 7}` };
      };
      return Object.defineProperty(plain, "labels", { get });
    });
    const why = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. preemption: none";
    const nodeSelector = { pool: "x", zone: "y" };
    const told = Array.from({ length: 5 }, () =>
      explain({ ...subject, rooms, pods: [{ ...pending("a", why), spec: { containers: [], nodeSelector } }] }),
    );
    assert.match(
      told[4]?.message ?? "",
      /pool: x \(nodes have p0, p1, p2 and 4 more values\) and labelled zone: y \(no/,
    );
    assert.ok(looks <= 2 * 2 * rooms.length, `${looks} looks`);
  });

  it("waits a while for a server that is not ready any more, then says that its probe fails", () => {
    const unready = (seconds: number) => ({
      ...subject,
      pods: [
        pod("a", {
          conditions: [{ type: "ContainersReady", status: "False", lastTransitionTime: secondsAgo(seconds) }],
          containerStatuses: [container("server", { started: true, state: { running: {} } })],
        }),
      ],
    });
    assert.equal(explain(unready(9)), undefined);
    assert.equal(patience(unready(9)), 1000);
    const failing = explain(unready(10));
    assert.equal(failing?.reason, "ProbeFailing");
    assert.match(
      failing?.message ?? "",
      /server of pod a runs, but its readiness probe fails; see kubectl logs a -c server/,
    );
  });

  it("tells a quota from a policy, and both from the rest", () => {
    const deployment = (message: string): Deployment => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "a" },
      status: { conditions: [{ type: "ReplicaFailure", status: "True", message }] },
    });
    const told = (message: string) => {
      const cause = explain({ ...subject, pods: [], deployment: deployment(`pods "a-b-c" is forbidden: ${message}`) });
      return [cause?.reason, cause?.message];
    };
    const quota = "exceeded quota: compute, requested: requests.cpu=2, used: requests.cpu=3, limited: requests.cpu=4";
    assert.deepEqual(told(quota), [
      "QuotaExceeded",
      `the API server refuses the pods: ${quota}; raise ResourceQuota compute, or ask for less`,
    ]);
    const policy = "satisfy that policy, or exempt this ModelDeployment's objects from it";
    const range = "set spec.resources to what the LimitRange of the namespace allows, or change it";
    for (const [reason, refusal, cure] of [
      [
        "QuotaExceeded",
        "failed quota: compute: must specify limits.cpu for: fetch,server; limits.memory for: server",
        "set limits.cpu and limits.memory in spec.resources",
      ],
      ["QuotaExceeded", "failed quota: compute: other", "change ResourceQuota compute, or spec.resources"],
      [
        "AdmissionDenied",
        'violates PodSecurity "restricted:latest": runAsNonRoot != true',
        "lower the namespace's label pod-security.kubernetes.io/enforce: restricted",
      ],
      ["AdmissionDenied", 'admission webhook "policy.example.com" denied the request: no label team', policy],
      ["AdmissionDenied", "ValidatingAdmissionPolicy 'teams' with binding 'teams' denied request: no team", policy],
      [
        "AdmissionDenied",
        'failed calling webhook "mutate.example.com": no endpoints available',
        "repair the service behind webhook mutate.example.com, or remove its configuration",
      ],
      ["AdmissionDenied", "maximum memory usage per Container is 1Gi, but limit is 2Gi", range],
      ["AdmissionDenied", "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000", range],
      [
        "QuotaExceeded",
        "insufficient quota to match these scopes: [{PriorityClass In [high]}]",
        "create a ResourceQuota with that scope in this namespace, or change spec.scheduling.priorityClassName",
      ],
      [
        "QuotaExceeded",
        "status unknown for quota: compute, resources: limits.cpu,pods",
        "wait until Kubernetes has counted for ResourceQuota compute",
      ],
      [
        "AdmissionDenied",
        'unable to validate against any security context constraint: [provider "restricted-v2": .spec.securityContext: Invalid value: 65532]',
        "on OpenShift, set podSecurityContext of Berth's chart to {runAsUser: null, runAsGroup: null}",
      ],
      [
        "AdmissionDenied",
        'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        "set spec.resources.limits.cpu: a LimitRange of the namespace sets a limit below the request",
      ],
      [
        "AdmissionDenied",
        'spec.initContainers[0].resources.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi',
        "set spec.model.fetch.resources.limits.memory: a LimitRange of the namespace sets a limit below the request",
      ],
      [
        "PodsRefused",
        'error looking up service account default/x: serviceaccount "x" not found',
        "create ServiceAccount x, or correct spec.serviceAccountName",
      ],
      [
        "PodsRefused",
        "no PriorityClass with name urgent was found",
        "create PriorityClass urgent, or correct spec.scheduling.priorityClassName",
      ],
      [
        "PodsRefused",
        'pod rejected: RuntimeClass "kata" not found',
        "create RuntimeClass kata, or correct spec.scheduling.runtimeClassName",
      ],
    ] as const) {
      assert.deepEqual(told(refusal), [reason, `the API server refuses the pods: ${refusal}; ${cure}`]);
    }
    const other = "the object has been modified";
    assert.deepEqual(told(other), ["PodsRefused", `the API server refuses the pods: ${other}`]);
  });

  it("says by how much each of the nearest nodes falls short", () => {
    const room = (node: string, free: Record<string, string>): Room => ({
      node,
      labels: {},
      taints: [],
      total: amountsOf({ "nvidia.com/gpu": "8", memory: "64Gi", cpu: "16" }),
      free: amountsOf(free),
    });
    const asks = (resource: string, amount: string, rooms: Room[]) => {
      const why = `0/${rooms.length} nodes are available: ${rooms.length} Insufficient ${resource}. preemption: none`;
      const spec = { containers: [{ name: "server", resources: { requests: { [resource]: amount } } }] };
      return explain({ ...subject, rooms, pods: [{ ...pending("a", why), spec }] })?.message;
    };
    assert.equal(
      asks("nvidia.com/gpu", "1", [room("gpu-b", {}), room("gpu-a", {})]),
      "1 of 5 pods wait for 1 nvidia.com/gpu each: 0/2 nodes have one free (gpu-a lacks 1: 0 of 8 free; " +
        "gpu-b lacks 1: 0 of 8 free): 2 Insufficient nvidia.com/gpu",
    );
    assert.equal(
      asks("memory", "48Gi", [room("a", { memory: "40Gi" })]),
      "1 of 5 pods wait for 48Gi memory each: 0/1 nodes have it free (a lacks 8.0 GiB: 40.0 GiB of 64.0 GiB free): " +
        "1 Insufficient memory",
    );
    const many = ["1", "2", "3500m", "0", "250m"].map((cpu, index) => room(`n${index}`, { cpu }));
    assert.match(
      asks("cpu", "4", many) ?? "",
      /\(n2 lacks 0\.5: 3\.5 of 16 free; n1 lacks 2: 2 of 16 free; n0 lacks 3: 1 of 16 free; 2 more nodes with no smaller shortfall\)/,
    );
  });

  it("keeps what to do, of a message that is too long", () => {
    const message = `exceeded quota: q, ${"requested: a=1, ".repeat(60)}limited: a=1`;
    const conditions = [{ type: "ReplicaFailure", status: "True", message }];
    const deployment: Deployment = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "a" },
      status: { conditions },
    };
    const told = explain({ ...subject, pods: [], deployment })?.message ?? "";
    assert.equal(told.length, 400);
    assert.match(
      told,
      /^the API server refuses the pods: exceeded quota: q, .*….*; raise ResourceQuota q, or ask for less$/,
    );
  });

  it("gives up after the deadline, and names the cause", () => {
    const cause = givenUp(explain({ ...subject, pods: [pending("a", gpu)] }), "10m (rollout.progressDeadline)");
    assert.equal(cause.reason, "Unschedulable");
    assert.equal(cause.stalled, true);
    assert.match(cause.message, /^not ready within 10m \(rollout.progressDeadline\): 1 of 5 pods wait/);
    assert.equal(givenUp(undefined, "10m (rollout.progressDeadline)").reason, "ProgressDeadlineExceeded");
  });
});
