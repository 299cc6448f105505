/** `spec.model.proxy` and `spec.model.fetch`: how the model's file is fetched. */
import { z } from "zod";
import { cores, modest, PORT, rules, size } from "./fields.ts";

export const proxy = z
  .object({
    url: z
      .string()
      .min(8)
      .max(512)
      .describe("URL of the proxy, such as `http://proxy.corp.example.com:3128`.")
      .meta(
        rules(
          {
            rule: "!self.contains('@')",
            message:
              "spec.model.proxy.url: must not hold a user or password, because whoever reads the ModelDeployment reads them; remove them",
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
      .describe(
        "Hosts that are fetched from directly, without the proxy. A name also covers its subdomains; an IP address covers itself only.",
      )
      .meta({ "x-kubernetes-list-type": "set" }),
  })
  .describe(
    "Proxy for the fetch. An `https://` URI is fetched through a CONNECT tunnel, an `http://` URI by a request to the proxy. The " +
      "proxy's address must not be a loopback, link-local or metadata address.",
  );

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
        requests: amounts("requests", "What the scheduler reserves for the init container.").optional(),
        limits: amounts("limits", "Maximum that the init container may use.").optional(),
      })
      .optional()
      .describe(
        "CPU and memory of the init container. Default: the values of `spec.resources`; if this field is set, values that it leaves out have the defaults of `spec.resources.requests`. The scheduler counts the larger of the two " +
          "containers, not their sum.",
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
