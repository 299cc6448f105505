/** What a container asks for: cpu, memory, disk and devices. */
import { DEFAULT_REQUESTS, devicesOf } from "../../../api/v1alpha1/index.ts";
import type { PodTemplate } from "../../../platform/kube/objects.ts";
import type { RevisionSpec } from "../revision-spec.ts";

type PodSpec = NonNullable<PodTemplate["spec"]>;
type Resources = NonNullable<PodSpec["containers"][number]["resources"]>;

/**
 * Of the init container: the same as the server's, devices apart, unless `spec.model.fetch` says otherwise. The scheduler counts the
 * larger of the two, not their sum, and a quota that demands limits is satisfied by both. Disk is the pod's as a whole.
 */
export const fetchResourcesOf = (spec: RevisionSpec): Resources => {
  const own = spec.model.fetch?.resources;
  if (own === undefined) return resourcesOf(spec, { devices: false });
  const { limits, requests } = spec.resources ?? {};
  const disk = (list: typeof limits) => {
    const amount = list?.["ephemeral-storage"];
    return amount === undefined ? {} : { "ephemeral-storage": amount };
  };
  const resources = {
    requests: { ...disk(requests), ...own.requests },
    limits: { ...disk(limits), ...own.limits },
  };
  return resourcesOf({ model: spec.model, resources }, { devices: false });
};

export const resourcesOf = (spec: RevisionSpec, { devices }: { devices: boolean }): Resources => {
  const asText = (list: Record<string, string | number | undefined> | undefined): Record<string, string> =>
    Object.fromEntries(
      Object.entries(list ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    );
  const limits = asText(spec.resources?.limits);
  // A limit without a request is a request already; only what has neither gets our default.
  const defaults = Object.entries(DEFAULT_REQUESTS).filter(([name]) => limits[name] === undefined);
  const requests = { ...Object.fromEntries(defaults), ...asText(spec.resources?.requests) };
  const device = devices ? devicesOf(spec) : undefined;
  const held = device === undefined ? {} : { [device.resource]: String(device.count) };
  const allLimits = { ...limits, ...held };
  const claims = devices ? (spec.accelerator?.claims ?? []).map(({ name }) => ({ name })) : [];
  return {
    requests: { ...requests, ...held },
    ...(Object.keys(allLimits).length > 0 ? { limits: allLimits } : {}),
    ...(claims.length > 0 ? { claims } : {}),
  };
};
