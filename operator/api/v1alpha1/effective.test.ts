import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Devices, devicesOf } from "./effective.ts";
import type { ModelDeploymentSpec } from "./spec.ts";

const nvidia = { vendor: "nvidia" } as const;
const mig = { profile: "3g.40gb" };

const cases: [string, ModelDeploymentSpec["accelerator"], Devices | undefined][] = [
  ["none", undefined, undefined],
  ["of a vendor", nvidia, { resource: "nvidia.com/gpu", count: 1 }],
  ["several", { vendor: "amd", count: 2 }, { resource: "amd.com/gpu", count: 2 }],
  ["of a name", { ...nvidia, resourceName: "nvidia.com/gpu.shared" }, { resource: "nvidia.com/gpu.shared", count: 1 }],
  ["shared in time", { ...nvidia, sharing: "timeSlicing" }, { resource: "nvidia.com/gpu", count: 1 }],
  ["shared by MPS", { ...nvidia, sharing: "mps" }, { resource: "nvidia.com/gpu", count: 1 }],
  ["slices", { ...nvidia, count: 2, sharing: "mig", mig }, { resource: "nvidia.com/mig-3g.40gb", count: 2 }],
  [
    "slices with media engines",
    { ...nvidia, sharing: "mig", mig: { profile: "1g.10gb+me" } },
    { resource: "nvidia.com/mig-1g.10gb.me", count: 1 },
  ],
  [
    "slices by another name",
    { ...nvidia, sharing: "mig", mig, resourceName: "nvidia.com/gpu" },
    { resource: "nvidia.com/gpu", count: 1 },
  ],
  [
    "by claims, which have no name of a resource",
    { ...nvidia, claims: [{ name: "gpu", resourceClaimName: "a" }] },
    undefined,
  ],
];

describe("devices", () => {
  for (const [name, accelerator, expected] of cases)
    it(name, () => assert.deepEqual(devicesOf(accelerator === undefined ? {} : { accelerator }), expected));
});
