/**
 * Devices by dynamic resource allocation. Which of them a claim may have, expressions of its class and its own say, which
 * nobody but the scheduler evaluates: that none is left can be known, that one will do cannot. Pure.
 */
import type { DeviceClass, ResourceClaim, ResourceSlice } from "../../platform/kube/objects.ts";

/** What one node has of them. */
export type Devices = {
  /** Extended resources that a DeviceClass offers, wherever no device plugin does; undefined: which they are is not known. */
  offered: ReadonlySet<string> | undefined;
  /** At most so many are in nobody's hands; undefined: there is no telling. */
  unclaimed: number | undefined;
};

/** Of a cluster: of its nodes by their names. */
export type Inventory = {
  offered: Devices["offered"];
  unclaimed: ReadonlyMap<string, number> | undefined;
};

export const devicesOn = ({ offered, unclaimed }: Inventory, node: string): Devices => ({
  offered,
  unclaimed: unclaimed === undefined ? undefined : (unclaimed.get(node) ?? 0),
});

/** A class has a name of its own for pods that know no claims, and perhaps that of a device plugin. */
export const offeredBy = ({ metadata, spec }: DeviceClass): string[] => [
  `deviceclass.resource.kubernetes.io/${metadata.name}`,
  ...(spec.extendedResourceName === undefined ? [] : [spec.extendedResourceName]),
];

const idOf = (driver: string, pool: string, device: string): string => `${driver}/${pool}/${device}`;

/** The devices that a claim has for itself. */
export const claimedBy = ({ status }: ResourceClaim): string[] =>
  (status?.allocation?.devices?.results ?? []).flatMap(({ adminAccess, device, driver, pool }) =>
    adminAccess === true ? [] : [idOf(driver, pool, device)],
  );

/**
 * Devices of a slice that are in nobody's hands. Infinite, where one may be given to several; of a pool that is being renewed,
 * both generations count, so that there are never fewer than there are.
 */
const unclaimedIn = ({ spec }: ResourceSlice, claimed: ReadonlySet<string>): number =>
  (spec.devices ?? []).reduce((sum, { allowMultipleAllocations, name }) => {
    if (allowMultipleAllocations === true) return Number.POSITIVE_INFINITY;
    return claimed.has(idOf(spec.driver, spec.pool.name, name)) ? sum : sum + 1;
  }, 0);

/** Adds one more slice to `unclaimed`; false: its devices are not on one node, so that there is no telling. */
export const addSlice = (
  unclaimed: Map<string, number>,
  slice: ResourceSlice,
  claimed: ReadonlySet<string>,
): boolean => {
  const { devices = [], nodeName } = slice.spec;
  if (devices.length === 0) return true;
  if (!nodeName) return false;
  unclaimed.set(nodeName, (unclaimed.get(nodeName) ?? 0) + unclaimedIn(slice, claimed));
  return true;
};
