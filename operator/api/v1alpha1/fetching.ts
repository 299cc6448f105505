/** `spec.model.proxy` and `spec.model.fetch`: how the model's file is fetched. */
import { z } from "zod";
import { cores, modest, PORT, rules, size } from "./fields.ts";

export const proxy = z
  .object({
    url: z
      .string()
      .min(8)
      .max(512)
      .describe("The proxy, such as `http://proxy.corp.example.com:3128`.")
      .meta(
        rules(
          {
            rule: "!self.contains('@')",
            message:
              "spec.model.proxy.url: no user or password here, since whoever reads the ModelDeployment reads it; remove them",
          },
          {
            rule: `self.contains('@') || self.matches('^https?://([A-Za-z0-9_.-]+|\\\\[[0-9A-Fa-f:.]+\\\\])(:${PORT})?$')`,
            message: "spec.model.proxy.url: must be http://host[:port] or https://host[:port], without a path",
          },
        ),
      ),
    noProxy: z
      .array(
        z
          .string()
          .min(1)
          .max(253)
          .regex(/^([.]?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f:.]+)$/),
      )
      .max(64)
      .optional()
      .describe("Hosts that are reached directly: a name, which stands for all below it as well, or an IP address.")
      .meta({ "x-kubernetes-list-type": "set" }),
  })
  .describe("Fetches go through this proxy, by CONNECT. Its own address must not be loopback, link-local or metadata.");

const amounts = (list: "requests" | "limits", what: string) =>
  z
    .object({
      cpu: cores("Cores, such as `500m` or `0.5`.").optional(),
      memory: size("Bytes, such as `256Mi`.", `spec.model.fetch.resources.${list}.memory`).optional(),
    })
    .describe(what);

export const fetch = z
  .object({
    resources: z
      .object({
        requests: amounts("requests", "What the scheduler sets aside.").optional(),
        limits: amounts("limits", "What it may use at most.").optional(),
      })
      .optional()
      .describe(
        "CPU and memory of the init container. Default: those of `spec.resources`. The scheduler counts the larger of the two containers, not their sum.",
      )
      .meta(
        rules({
          rule:
            "!has(self.requests) || !has(self.limits) || !has(self.requests.memory) || !has(self.limits.memory) || " +
            `!(${modest("self.requests.memory")} && ${modest("self.limits.memory")}) || ` +
            "quantity(string(self.requests.memory)).compareTo(quantity(string(self.limits.memory))) <= 0",
          message:
            "spec.model.fetch.resources.requests.memory: must not be above spec.model.fetch.resources.limits.memory",
        }),
      ),
  })
  .describe("The init container that fetches the model.");
