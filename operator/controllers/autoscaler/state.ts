/** What the loop that scales is given, and what it knows from look to look. */
import type { Survey } from "../../cluster/capacity/survey.ts";
import type { Surveyed } from "../../domain/placement/surveyed.ts";
import type { Decision } from "../../domain/scaling/decide.ts";
import type { Scale } from "../../domain/scaling/scale.ts";
import type { RunCurve } from "../../domain/scaling/signals.ts";
import { fullNameOf, type ObjectKey, type Pod } from "../../platform/kube/objects.ts";
import type { Ears, Hear } from "./ears.ts";
import type { Entry } from "./entry.ts";
import type { Tally } from "./tally.ts";

export type ScalerOptions = {
  /** Pods with their labels, of one ModelDeployment; and the routers of a namespace that are ready. */
  podsOf(key: ObjectKey): readonly Pod[];
  routersOf(namespaces: ReadonlySet<string>): readonly { namespace: string; name: string; address: string }[];
  hear: Hear;
  askCurve(address: string): Promise<RunCurve | undefined>;
  survey: Survey;
  /** Nodes come where pods wait for them: what there is room for now is no bound. */
  nodesCome(): boolean;
  /** Milliseconds since 1970. */
  clock(): number;
  /** What was decided has changed. */
  changed(key: ObjectKey): void;
  /** Each decision, for the metrics; undefined: it is gone. */
  report(key: ObjectKey, scale: Scale | undefined, uncapped: number): void;
  /** Something was thrown over one of them, or over none in particular; the others go on. */
  failed(error: unknown, key: ObjectKey | undefined): void;
};

export type ScalerState = {
  readonly options: ScalerOptions;
  readonly entries: Map<string, Entry>;
  readonly tally: Tally;
  readonly ears: Ears;
  /** When each router was last there, by its address. */
  readonly routersSeen: Map<string, number>;
  /** What the nodes had when they were last looked at; undefined while their room is no bound. */
  surveyed: Surveyed | undefined;
};

/** What a look at one of them has decided. `look`: which of its looks that was. */
export type Look = { entry: Entry; decision: Decision; look: number };

/** ModelDeployments in one slice of a look, some tens of microseconds each; a schedule that changes takes milliseconds. */
export const MOST_IN_SLICE = 25;

/** It has not been forgotten meanwhile. */
export const isKnown = ({ entries }: ScalerState, entry: Entry): boolean =>
  entries.get(fullNameOf(entry.key)) === entry;
