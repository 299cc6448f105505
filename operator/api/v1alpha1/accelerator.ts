/** `spec.accelerator`: the devices that each pod holds, and how they are shared. */
import { z } from "zod";
import { objectName, podInternalName, rules, size } from "./fields.ts";

const claim = z
  .object({
    name: podInternalName("Name of the claim in the pod."),
    resourceClaimName: objectName("Name of a ResourceClaim of this namespace. All pods share its devices.").optional(),
    resourceClaimTemplateName: objectName(
      "Name of a ResourceClaimTemplate of this namespace. Each pod gets its own ResourceClaim from it.",
    ).optional(),
  })
  .meta(
    rules({
      rule: "has(self.resourceClaimName) != has(self.resourceClaimTemplateName)",
      message: "spec.accelerator.claims: each must set either resourceClaimName or resourceClaimTemplateName",
    }),
  );

const mig = z
  .object({
    profile: z
      .string()
      .min(6)
      .max(32)
      .regex(/^[1-9]g[.][1-9][0-9]{0,3}gb([-+.][a-z]+)*$/)
      .describe(
        "NVIDIA's name of the MIG profile, such as `1g.10gb`, which implies the resource `nvidia.com/mig-1g.10gb`.",
      ),
  })
  .describe("The MIG slice of a device that each pod holds. Only with `sharing: mig`.");

const isNvidia = "has(self.vendor) && self.vendor == 'nvidia'";

export const accelerator = z
  .object({
    vendor: z
      .enum(["nvidia", "amd", "intel"])
      .optional()
      .describe(
        "Vendor of the devices. It implies the extended resource: `nvidia.com/gpu` for nvidia, `amd.com/gpu` for amd; intel needs " +
          "`resourceName`.",
      ),
    count: z.int32().min(1).max(16).optional().describe("Number of devices that each pod holds. Default: 1."),
    resourceName: z
      .string()
      .min(3)
      .max(253)
      .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/)
      .optional()
      .describe(
        "Extended resource to request, such as `nvidia.com/gpu.shared`. It overrides the resource that `vendor` and `mig` imply.",
      )
      .meta(
        rules({
          rule: "!self.matches('^([^/]*[.])?kubernetes[.]io/') && !self.startsWith('requests.')",
          message: "spec.accelerator.resourceName: must be a device plugin's resource, such as nvidia.com/gpu",
        }),
      ),
    products: z
      .array(
        z
          .string()
          .min(1)
          .max(63)
          .regex(/^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/),
      )
      .min(1)
      .max(16)
      .optional()
      .describe(
        "Accepted products: the device is any one of them. Each is an exact value of the node label `nvidia.com/gpu.product`, which ends " +
          "in `-SHARED` or `-MIG-…` on nodes that share their devices. Only with vendor nvidia.",
      )
      .meta({ "x-kubernetes-list-type": "set" }),
    memory: size(
      "Minimum memory of each device, by the node label `nvidia.com/gpu.memory`. Only with vendor nvidia.",
      "spec.accelerator.memory",
    ).optional(),
    sharing: z
      .enum(["exclusive", "timeSlicing", "mps", "mig"])
      .optional()
      .describe(
        "How nodes share a device between pods, by the node label `nvidia.com/gpu.sharing-strategy`. `exclusive` (the default): not " +
          "shared. `timeSlicing`, `mps`: shared without memory isolation. `mig`: divided into hardware slices. With `mig` or `resourceName`, the " +
          "pods do not select nodes by the label. Only with vendor nvidia.",
      ),
    mig: mig.optional(),
    claims: z
      .array(claim)
      .min(1)
      .max(8)
      .optional()
      .describe(
        "Devices by dynamic resource allocation (DRA, Kubernetes 1.34), instead of `count`. The ResourceClaims define which devices and " +
          "how many.",
      )
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] }),
  })
  .describe("The devices that each pod holds. Without it the model runs on the CPU. A change makes a new revision.")
  .meta(
    rules(
      {
        rule: "has(self.vendor) || has(self.resourceName) || has(self.claims)",
        message: "spec.accelerator: set vendor (nvidia, amd or intel), resourceName (such as nvidia.com/gpu) or claims",
      },
      {
        rule: `!has(self.products) || (${isNvidia})`,
        message:
          "spec.accelerator.products: needs vendor: nvidia, whose node labels name the product; set that, or remove products",
      },
      {
        rule: `!has(self.memory) || (${isNvidia})`,
        message:
          "spec.accelerator.memory: needs vendor: nvidia, whose node labels give the memory; set that, or remove memory",
      },
      {
        rule: "!has(self.vendor) || self.vendor != 'intel' || has(self.resourceName) || has(self.claims)",
        message:
          "spec.accelerator.resourceName: must be set with vendor: intel, to what the node's driver provides: gpu.intel.com/i915 or gpu.intel.com/xe",
      },
      {
        rule: `!has(self.sharing) || (${isNvidia})`,
        message: "spec.accelerator.sharing: needs vendor: nvidia; set that, or remove sharing",
      },
      {
        rule: "!has(self.sharing) || !(self.sharing in ['timeSlicing', 'mps']) || !has(self.count) || self.count == 1",
        message:
          "spec.accelerator.count: must be 1 with sharing timeSlicing or mps, because two shares may be of the same device",
      },
      {
        rule: "!has(self.mig) || (has(self.sharing) && self.sharing == 'mig')",
        message: "spec.accelerator.mig: needs sharing: mig; set that, or remove mig",
      },
      {
        rule: "!has(self.sharing) || self.sharing != 'mig' || has(self.mig) || has(self.resourceName)",
        message:
          "spec.accelerator.mig.profile: must be set with sharing: mig, such as 1g.10gb; set it, or set resourceName",
      },
      {
        rule:
          "!has(self.claims) || !(has(self.count) || has(self.resourceName) || has(self.products) || has(self.memory) || " +
          "has(self.sharing) || has(self.mig))",
        message:
          "spec.accelerator.claims: the ResourceClaims select the devices; remove count, resourceName, products, memory, sharing and mig",
      },
    ),
  );
