import type { Tensor } from "../../tensors/index.ts";
import type { Model } from "../index.ts";
import type { BatchAxes } from "./axis.ts";
import type { Groups } from "./groups.ts";
import { newShapeOf } from "./keys.ts";
import type { Proof } from "./proof.ts";
import type { Group } from "./queue.ts";
import type { BatchingState, SchedulerSnapshot } from "./types.ts";

/** Whether requests may share runs, along which axes, and in words why not. */
export type Sharing = {
  state: BatchingState;
  reason: string;
  dimension: string | undefined;
  axes: BatchAxes | undefined;
  /** The batch axis of each output by name. */
  axisOf: ReadonlyMap<string, number>;
  shapeOf: ReturnType<typeof newShapeOf>;
};

export const newSharing = (model: Model, maxBatch: number, shapesKnown: boolean): Sharing => {
  const [state, reason]: [BatchingState, string] =
    maxBatch === 1
      ? ["disabled", "--max-batch-size is 1"]
      : shapesKnown
        ? ["proving", ""]
        : ["unproved", "no size of its inputs is known with which it runs"];
  return {
    state,
    reason,
    dimension: undefined,
    axes: undefined,
    axisOf: new Map(),
    shapeOf: newShapeOf(model, undefined),
  };
};

export const conclude = (sharing: Sharing, groups: Groups, model: Model, proof: Proof): void => {
  sharing.state = proof.proved ? "on" : "unproved";
  sharing.reason = proof.proved ? "" : proof.reason;
  sharing.dimension = proof.proved ? proof.name : undefined;
  if (!proof.proved) return;
  const { axes, measured } = proof;
  sharing.axes = axes;
  sharing.axisOf = new Map(model.outputs.map(({ name }, i) => [name, axes.outputs[i] ?? 0]));
  sharing.shapeOf = newShapeOf(model, axes);
  const inputs = new Map(
    model.inputs.map(({ name, datatype }, i): [string, Tensor] => [
      name,
      { datatype, shape: proof.shapes[i] ?? [], bytes: new Uint8Array(0) },
    ]),
  );
  const { dimensions } = sharing.shapeOf({ inputs, outputs: model.outputs.map(({ name }) => name) });
  groups.seed = { dimensions, measured };
  // what waits runs as it was queued; new requests find groups that join
  groups.byKey.clear();
};

/** From now on requests run apart, those that wait in `active` too. */
export const stopSharing = (
  sharing: Sharing,
  groups: Groups,
  active: Iterable<Group>,
  model: Model,
  state: "unproved" | "ended",
  reason: string,
): void => {
  sharing.state = state;
  sharing.reason = reason;
  sharing.dimension = undefined;
  groups.seed = undefined;
  for (const group of [...groups.byKey.values(), ...active]) {
    group.joins = false;
    group.size = 1;
  }
  sharing.shapeOf = newShapeOf(model, undefined);
};

/** For people, of the shape that ran last. */
export const describe = (
  { state, reason, dimension }: Sharing,
  last: Group | undefined,
): SchedulerSnapshot["batching"] => {
  if (state !== "on") return { state, reason, dimension, size: 1 };
  if (last === undefined || last.gaining || !last.joins) return { state, reason, dimension, size: last?.size ?? 1 };
  const { a, b } = last.cost;
  const gain = `a run takes ${a.toFixed(2)} ms and ${b.toFixed(2)} ms for each item, so sharing runs gains nothing`;
  return { state: "paused", reason: last.trouble || gain, dimension, size: 1 };
};
