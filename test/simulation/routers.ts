/** Routers as they are: they leave no table for an older one, and take none that is not whole. */
import { nextTable, type Table } from "../../runtime/router/table.ts";
import { readyPods, stable, statusOf } from "./passes.ts";
import type { World } from "./world.ts";

export type Followers = {
  /** They are told of the status as it is. */
  follow(): void;
  /** Some pod that is ready gets requests: routers go past a revision without one as long as their table has another. */
  isServed(): boolean;
  /** What they follow, and the pods that there are for it. */
  words(): string;
};

export const createFollowers = (world: World): Followers => {
  let table: Table | undefined;
  let port: number | undefined;
  world.routers = () => {
    const report = table && { epoch: table.epoch, port };
    return report === undefined ? [] : [report, report];
  };
  return {
    words: () =>
      [...(table?.routes ?? [])]
        .map(({ revision, weight }) => `${revision} ${weight} %, ${readyPods(world, revision)} ready`)
        .join("; "),
    follow() {
      const { traffic } = statusOf(world);
      if (traffic === undefined) return;
      const next = nextTable(table, traffic);
      if (!("refused" in next)) table = next;
      ({ port } = traffic);
    },
    isServed() {
      const followed = statusOf(world).traffic === undefined ? undefined : table;
      const revisions = followed?.routes.map(({ revision }) => revision) ?? [stable(world)];
      return revisions.some((revision) => readyPods(world, revision) > 0);
    },
  };
};
