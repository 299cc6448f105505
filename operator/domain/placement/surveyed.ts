/** What a survey of the cluster's nodes and pods has found. */

import type { Amounts, PodSpec } from "./request.ts";
import type { Room } from "./room.ts";

/** A pod that no node has taken yet. */
export type Waiting = {
  namespace: string;
  name: string;
  /** Its ModelDeployment, where it is of one. */
  model: string | undefined;
  /** Which nodes it wants. */
  choice: PodSpec;
  request: Amounts;
};

export type Surveyed = {
  rooms: Room[];
  waiting: Waiting[];
  /** Pods that have a node, of each revision (`namespace/revision`): what the rooms are without. */
  placed: ReadonlyMap<string, number>;
  /** Of each priority class, by its name; `""`: of pods that name none. */
  priorities: ReadonlyMap<string, number>;
};
