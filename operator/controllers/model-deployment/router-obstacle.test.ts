import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RouterNews } from "../../apply/router-news.ts";
import type { Deployment, Pod } from "../../platform/kube/objects.ts";
import { routerObstacle } from "./router-obstacle.ts";

const metadata = { name: "berth-router", namespace: "a" };
const nothing: RouterNews = { deployment: undefined, pods: [], obstacles: [] };
const refused = (message: string): Deployment => ({
  ...{ apiVersion: "apps/v1", kind: "Deployment", metadata },
  status: { conditions: [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message }] },
});
const pod = (status: NonNullable<Pod["status"]>): Pod => ({
  ...{ apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name: "berth-router-1" } },
  status,
});

const cases: [name: string, news: Partial<RouterNews>, reason: string | undefined, message: RegExp][] = [
  ["nothing yet", {}, undefined, /^$/],
  [
    "a quota that demands limits",
    {
      deployment: refused(
        'pods "berth-router-1" is forbidden: failed quota: q: must specify limits.cpu for: router; limits.memory for: router',
      ),
    },
    "QuotaExceeded",
    /^the routers of this namespace: the API server refuses the pods: failed quota.*set limits\.cpu and limits\.memory in router\.resources of Berth's chart$/,
  ],
  [
    "a limit of the namespace",
    {
      deployment: refused(
        'Pod "berth-router-1" is invalid: spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
      ),
    },
    "AdmissionDenied",
    /set router\.resources\.limits\.cpu of Berth's chart: a LimitRange of the namespace sets a limit below the request$/,
  ],
  [
    "an account that is not there yet",
    {
      deployment: refused(
        'pods "berth-router-1" is forbidden: error looking up service account a/berth-router: serviceaccount "berth-router" not found',
      ),
    },
    "PodsRefused",
    /serviceaccount "berth-router" not found$/,
  ],
  [
    "a quota of other pods' priority",
    {
      deployment: refused(
        'pods "berth-router-1" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [high]}]',
      ),
    },
    "QuotaExceeded",
    /create a ResourceQuota with that scope in this namespace$/,
  ],
  [
    "a webhook that is down",
    { obstacles: [{ kind: "refused", isHopeless: false, message: 'failed calling webhook "w": refused' }] },
    "AdmissionDenied",
    /the API server refused a write: failed calling webhook "w": refused; repair the service behind webhook w/,
  ],
  [
    "strangers",
    { obstacles: [{ kind: "stranger", objects: ["NetworkPolicy berth-router", "Deployment berth-router"] }] },
    "NotOwned",
    /NetworkPolicy berth-router and Deployment berth-router belong to something else.*delete them$/,
  ],
  [
    "no room",
    {
      pods: [
        pod({
          conditions: [
            {
              ...{ type: "PodScheduled", status: "False", reason: "Unschedulable" },
              message: "0/1 nodes are available: 1 Insufficient cpu.",
            },
          ],
        }),
      ],
    },
    "Unschedulable",
    /1 of 2 pods wait for .* cpu each/,
  ],
  [
    "an image that cannot be pulled",
    {
      pods: [
        pod({
          containerStatuses: [
            {
              ...{ name: "router", image: "r:1", imageID: "", ready: false, restartCount: 0 },
              state: { waiting: { reason: "ErrImagePull", message: "not found" } },
            },
          ],
        }),
      ],
    },
    "ImageUnavailable",
    /image r:1 cannot be pulled: not found/,
  ],
  [
    "too little memory",
    {
      pods: [
        pod({
          containerStatuses: [
            {
              ...{ name: "router", image: "r:1", imageID: "", ready: false, restartCount: 3 },
              lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } },
            },
          ],
        }),
      ],
    },
    "OutOfMemory",
    /router\.resources\.requests\.memory of Berth's chart/,
  ],
];

describe("what is in the way of the routers", () => {
  for (const [name, news, reason, message] of cases) {
    it(name, () => {
      const cause = routerObstacle({ ...nothing, ...news }, 0);
      assert.equal(cause?.reason, reason);
      assert.match(cause?.message ?? "", message);
    });
  }
});
