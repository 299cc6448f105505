/** What can keep pods from serving that is not the model: each is named in the status, and its end is noticed. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { conditionOf, isReady, isStalled, type Seen, waitFor } from "../world/model-deployment.ts";
import { eventually } from "../world/patience.ts";
import { processOf } from "../world/pod-process.ts";
import { record } from "../world/record.ts";
import { modelDeployment, useWorld } from "./world.ts";

/** Of an authority that only the namespace's own ConfigMap knows. */
const PRIVATE = "https://models.berth-models.svc:8443/angle.onnx";
const SERVE = "runtime/main.js serve";

describe("what can keep pods from serving", () => {
  const { world, namespace } = useWorld("e2e-causes");
  const kubectl = (...args: string[]) => world().cluster.kubectl(args);
  const put = (name: string, spec: Record<string, unknown> = {}, where = namespace) =>
    world().apply([modelDeployment(name, spec)], where);
  const until = (name: string, what: string, holds: (seen: Seen) => boolean, where = namespace) =>
    waitFor(world().cluster, { namespace: where, name }, what, holds);
  const names = (reason: string) => (seen: Seen) => conditionOf(seen, "Ready")?.reason === reason;
  const podOf = async (name: string): Promise<{ name: string; uid: string }> => {
    const { stdout } = await kubectl(
      ...["get", "pod", "-n", namespace, "-l", `berth.dev/model-deployment=${name}`],
      ...["-o", "jsonpath={.items[0].metadata.name} {.items[0].metadata.uid}"],
    );
    const [pod = "", uid = ""] = stdout.split(" ");
    return { name: pod, uid };
  };
  /** The reasons and messages of all versions of an object that were seen while `act` ran. */
  const during = async (name: string, act: () => Promise<unknown>): Promise<string[]> => {
    const { stop } = record(world().cluster.hostKubeconfig, namespace);
    const seen = await act().then(stop, async (error) => {
      await stop();
      throw error;
    });
    const versions = seen.filter(({ metadata }) => metadata.name === name);
    return versions.flatMap(({ status }) =>
      (status?.conditions ?? []).map(({ type, reason, message }) => `${type} ${reason}: ${message}`),
    );
  };

  it("a ConfigMap that is missing, until it is there", async () => {
    const name = "no-bundle";
    await put(name, { model: { uri: PRIVATE, caBundle: { configMapName: "company-ca" } } });
    const waiting = await until(name, "told of the ConfigMap", names("VolumeUnavailable"));
    assert.match(waiting.status.message ?? "", /ConfigMap company-ca \(spec\.model\.caBundle\) does not exist/);
    await kubectl("create", "configmap", "company-ca", "-n", namespace, "--from-literal=ca.crt=");
    // The kubelet tries again after up to two minutes; a new pod is mounted at once.
    await kubectl("delete", "pod", "-n", namespace, "-l", `berth.dev/model-deployment=${name}`);
    await until(name, "past its volumes", (seen) => !names("VolumeUnavailable")(seen));
  });

  it("a Secret that is missing", async () => {
    const name = "no-secret";
    await put(name, { model: { uri: PRIVATE, credentials: { secretName: "s3-read" } } });
    const waiting = await until(name, "told of the Secret", names("VolumeUnavailable"));
    assert.match(waiting.status.message ?? "", /Secret s3-read \(spec\.model\.credentials\) does not exist/);
  });

  it("a Secret that does not say where it may be sent, until it does", async () => {
    const name = "any-secret";
    await kubectl("create", "secret", "generic", name, "-n", namespace, "--from-literal=token=not-for-everybody");
    await put(name, { model: { uri: PRIVATE, credentials: { secretName: name } } });
    const refused = await until(name, "stalled", isStalled);
    assert.equal(conditionOf(refused, "Stalled")?.reason, "CredentialsNotForHost");
    const patch = /kubectl patch secret NAME --type merge -p '(.*)'/.exec(refused.status.message ?? "")?.[1] ?? "";
    await kubectl("patch", "secret", name, "-n", namespace, "--type", "merge", "-p", patch);
    await kubectl("delete", "pod", "-n", namespace, "-l", `berth.dev/model-deployment=${name}`);
    // of an authority that nobody has said to trust: it is asked, at least
    await until(name, "past its credentials", names("ModelUnreachable"));
  });

  it("a model that takes its time, and how far it is", async () => {
    const name = "slow";
    await put(name, { model: { uri: "http://models.berth-models.svc:8080/trickle/25000/angle.onnx" } });
    // the init container may be asked before its first byte
    const isTold = ({ status }: Seen) =>
      /\d KiB of 565\.4 KiB fetched, less than a minute left/.test(status?.message ?? "");
    const told = await until(name, "told how far the fetch is", isTold);
    assert.equal(conditionOf(told, "Ready")?.reason, "Fetching");
    await until(name, "ready", isReady);
  });

  it("a container that needs more memory than its limit", async () => {
    await put("small", { resources: { limits: { memory: "40Mi" } } });
    const told = await until("small", "stalled", isStalled);
    assert.equal(conditionOf(told, "Stalled")?.reason, "OutOfMemory");
    assert.match(told.status.message ?? "", /needed more memory than its limit of 40Mi; raise spec\.resources/);
  });

  it("an execution provider that the runtime's image does not have", async () => {
    await put("no-cuda", { accelerator: { vendor: "nvidia" }, server: { executionProvider: "tensorrt" } });
    const told = await until("no-cuda", "stalled", isStalled);
    assert.equal(conditionOf(told, "Stalled")?.reason, "ExecutionProviderUnavailable");
    assert.match(told.status.message ?? "", /tensorrt/i);
    await kubectl("delete", "mdeploy", "no-cuda", "-n", namespace);
  });

  it("a quota of the namespace, until it has room", async () => {
    const where = "e2e-causes-quota";
    await world().namespace(where);
    await kubectl("create", "quota", "few-pods", "-n", where, "--hard=pods=0");
    await put("over-quota", {}, where);
    const told = await until("over-quota", "told of the quota", names("QuotaExceeded"), where);
    assert.match(told.status.message ?? "", /exceeded quota: few-pods, .*raise ResourceQuota few-pods/);
    assert.equal(conditionOf(told, "CapacityAvailable")?.reason, "QuotaExceeded");
    await kubectl("patch", "quota", "few-pods", "-n", where, "--patch", '{"spec":{"hard":{"pods":"5"}}}');
    await until("over-quota", "ready", isReady, where);
    await kubectl("delete", "namespace", where, "--wait=false");
  });

  it("a quota that demands limits, until the spec has them", async () => {
    const where = "e2e-causes-limits";
    await world().namespace(where);
    await kubectl("create", "quota", "demanding", "-n", where, "--hard=limits.cpu=8");
    await put("unlimited", {}, where);
    const told = await until("unlimited", "told of the quota", names("QuotaExceeded"), where);
    assert.match(told.status.message ?? "", /must specify limits\.cpu .*; set limits\.cpu in spec\.resources$/);
    await put("unlimited", { resources: { limits: { cpu: "1" } } }, where);
    await until("unlimited", "ready", isReady, where);
    await kubectl("delete", "namespace", where, "--wait=false");
  });

  it("a LimitRange", async () => {
    const where = "e2e-causes-range";
    await world().namespace(where);
    const limits = [{ type: "Container", max: { memory: "128Mi" } }];
    await world().apply(
      [{ apiVersion: "v1", kind: "LimitRange", metadata: { name: "small" }, spec: { limits } }],
      where,
    );
    await put("large", { resources: { limits: { memory: "1Gi" } } }, where);
    const told = await until("large", "told of the range", names("AdmissionDenied"), where);
    assert.match(
      told.status.message ?? "",
      /maximum memory usage per Container is 128Mi.*; set spec\.resources to what/,
    );
    await kubectl("delete", "namespace", where, "--wait=false");
  });

  it("a priority class that does not exist", async () => {
    await put("urgent", { scheduling: { priorityClassName: "berth-e2e-nowhere" } });
    const told = await until("urgent", "told of the class", names("PodsRefused"));
    assert.match(
      told.status.message ?? "",
      /; create PriorityClass berth-e2e-nowhere, or correct spec\.scheduling\.prio/,
    );
  });

  it("cpu that no node has: which node comes nearest, and by how much it falls short", async () => {
    await put("vast", { resources: { requests: { cpu: "500" } } });
    // The nodes are asked; an API server that is busy may answer the second time.
    const told = /^1 of 1 pods wait for 500 cpu each: .*node[01] lacks 49[\d.]+: [\d.]+ of \d+ free; node[01] lacks 49/;
    const seen = await until("vast", "told of the nodes", ({ status }) => told.test(status.message ?? ""));
    assert.ok(names("Unschedulable")(seen));
  });

  it("an admission policy", async () => {
    const policy = "berth-e2e-causes";
    after(() => kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", policy));
    await world().apply(denyPods(policy, namespace, "denied"));
    const denied = (seen: Seen) => names("AdmissionDenied")(seen);
    // A new policy takes effect within seconds; until then pods of the name are let in.
    await put("denied");
    await eventually("pods of this name are refused", async () => {
      await kubectl("delete", "pod", "-n", namespace, "-l", "berth.dev/model-deployment=denied", "--wait=false");
      return denied(await until("denied", "seen", () => true));
    });
    const told = await until("denied", "told of the policy", denied);
    assert.match(told.status.message ?? "", /the API server refuses the pods: .*berth-e2e-causes.* team/);
  });

  it("a server that hangs: its probe fails, and it is started again", async () => {
    const name = "frozen";
    await put(name);
    await until(name, "ready", isReady);
    const pid = processOf((await podOf(name)).uid, SERVE);
    process.kill(pid, "SIGSTOP");
    try {
      const told = await until(name, "told of the probe", names("ProbeFailing"));
      assert.match(told.status.message ?? "", /readiness probe fails; see kubectl logs/);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await until(name, "ready again", isReady);
  });

  it("a server that is killed: with how it ended, and the last line of its log", async () => {
    const name = "killed";
    await put(name);
    await until(name, "ready", isReady);
    const { name: pod, uid } = await podOf(name);
    const told = await during(name, async () => {
      process.kill(processOf(uid, SERVE), "SIGKILL");
      await until(name, "not ready", (seen) => !isReady(seen));
      await until(name, "ready again", isReady);
    });
    const crash = told.find((line) => line.startsWith("Ready CrashLooping")) ?? "";
    assert.match(crash, new RegExp(`server of pod ${pod} ended with exit code 137 \\(killed`), told.join("\n"));
    assert.match(crash, /liveness probe\), last log line "[^"{]+"; see kubectl logs/);
  });

  it("a server that is killed again and again: stalled, until it stays", async () => {
    const name = "looping";
    await put(name);
    await until(name, "ready", isReady);
    const { name: pod, uid } = await podOf(name);
    const told = await during(name, async () => {
      for (let kill = 1; kill <= 4; kill += 1) {
        process.kill(processOf(uid, SERVE), "SIGKILL");
        await until(name, "not ready", (seen) => !isReady(seen));
        await until(name, "ready again", isReady);
      }
    });
    const loop = told.find((line) => line.startsWith("Stalled CrashLooping")) ?? "";
    assert.match(loop, new RegExp(`see kubectl logs ${pod} -c server --previous`), told.join("\n"));
  });

  it("a queue that has not admitted the pods yet", async () => {
    const policy = "berth-e2e-queue";
    const kinds = "mutatingadmissionpolicy,mutatingadmissionpolicybinding";
    after(() => kubectl("delete", kinds, policy));
    await world().apply(holdPods(policy, namespace, "team-a"));
    const scheduling = { queueName: "team-a" };
    await put("queued", { scheduling });
    await eventually("pods of this name are held", async () => {
      await kubectl("delete", "pod", "-n", namespace, "-l", "berth.dev/model-deployment=queued", "--wait=false");
      return names("SchedulingGated")(await until("queued", "seen", () => true));
    });
    const told = await until("queued", "held", names("SchedulingGated"));
    assert.match(
      told.status.message ?? "",
      /wait in queue team-a until Kueue admits them; kubectl get localqueue team-a/,
    );
    assert.equal(conditionOf(told, "CapacityAvailable")?.reason, "SchedulingGated");
    // Not one of those from before the policy took effect, which may still be leaving.
    const { stdout: name } = await kubectl(
      ...["get", "pod", "-n", namespace, "-l", "berth.dev/model-deployment=queued"],
      ...["-o", "jsonpath={.items[?(@.spec.schedulingGates)].metadata.name}"],
    );
    const admit = '[{"op":"remove","path":"/spec/schedulingGates"}]';
    await kubectl("patch", "pod", name, "-n", namespace, "--type=json", "--patch", admit);
    await until("queued", "ready", isReady);
  });

  it("a pod that is evicted for what it wrote", async () => {
    const name = "hoarder";
    await put(name, { resources: { limits: { "ephemeral-storage": "64Mi" } } });
    await until(name, "ready", isReady);
    const { name: pod } = await podOf(name);
    const told = await during(name, async () => {
      const write = 'require("node:fs").writeFileSync("/var/lib/berth/weights/much", Buffer.alloc(128 << 20))';
      await kubectl("exec", pod, "-n", namespace, "-c", "server", "--", "/usr/local/bin/node", "-e", write);
      await until(name, "not ready", (seen) => !isReady(seen));
      await until(name, "ready again", isReady);
    });
    const eviction = told.find((line) => line.startsWith("Ready Evicted")) ?? "";
    assert.match(eviction, new RegExp(`pod ${pod} was evicted: .*ephemeral`), told.join("\n"));
  });
});

/** Denies the pods of one ModelDeployment. */
const denyPods = (name: string, namespace: string, modelDeployment: string): object[] => [
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name },
    spec: {
      matchConstraints: {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
      },
      validations: [
        {
          expression: `object.metadata.?labels["berth.dev/model-deployment"].orValue("") != "${modelDeployment}"`,
          message: "every pod needs a team",
        },
      ],
    },
  },
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name },
    spec: { policyName: name, validationActions: ["Deny"] },
  },
];

/** Gives the pods of a queue the gate that Kueue gives them. */
const holdPods = (name: string, namespace: string, queue: string): object[] => [
  {
    apiVersion: "admissionregistration.k8s.io/v1beta1",
    kind: "MutatingAdmissionPolicy",
    metadata: { name },
    spec: {
      failurePolicy: "Fail",
      reinvocationPolicy: "Never",
      matchConstraints: {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
      },
      matchConditions: [
        {
          name: "queue",
          expression: `object.metadata.?labels["kueue.x-k8s.io/queue-name"].orValue("") == "${queue}"`,
        },
      ],
      mutations: [
        {
          patchType: "ApplyConfiguration",
          applyConfiguration: {
            expression:
              'Object{spec: Object.spec{schedulingGates: [Object.spec.schedulingGates{name: "kueue.x-k8s.io/admission"}]}}',
          },
        },
      ],
    },
  },
  {
    apiVersion: "admissionregistration.k8s.io/v1beta1",
    kind: "MutatingAdmissionPolicyBinding",
    metadata: { name },
    spec: { policyName: name },
  },
];
