/** ModelRollouts: the records of this ModelDeployment's rollouts, and the commands that people put on them. Pure. */
import {
  ACTION_ANNOTATION,
  ACTIONS,
  API_VERSION,
  boundedRecord,
  MODEL_ROLLOUTS,
  type ModelRollout,
  REVISION_LABEL,
  ROLLOUT_KIND,
  type RolloutRecord,
} from "../../api/v1alpha1/index.ts";
import { type Action, applyStatus, create, remove } from "../../apply/actions.ts";
import { covers } from "../../apply/drift.ts";
import { oneLine } from "../../domain/diagnosis/cause.ts";
import { type Command, isOver, type Rollout } from "../../domain/rollout/machine.ts";
import { promoted, rejected } from "../../domain/rollout/words.ts";
import { childMeta } from "./children/owner.ts";
import { named } from "./findings.ts";
import type { GivingBack } from "./giving-back.ts";
import type { Observed } from "./observed.ts";
import { type Trial, trialWeight } from "./trial.ts";

/** Ended ones are kept, up to this many with the one that runs. */
const KEPT = 10;

/** A word on a ModelRollout that somebody has put there. */
export type Order = { record: ModelRollout; word: string };

/** All of them, the oldest first. */
export const ordersOf = ({ modelRollouts }: Observed): Order[] =>
  modelRollouts.flatMap((record) => {
    const word = record.metadata.annotations?.[ACTION_ANNOTATION];
    return word === undefined ? [] : [{ record, word }];
  });

/** What the rollout that runs is commanded to do. */
export const commandFor = (observed: Observed, { name }: Pick<Trial, "name">): Command | undefined => {
  const word = ordersOf(observed).find(({ record }) => record.metadata.name === name)?.word;
  return word === "promote" || word === "abort" || word === "pause" || word === "resume" ? word : undefined;
};

/** Those that take a rejection back: their ModelRollout was rolled back, and says `retry`. */
export const retriesOf = (observed: Observed): Order[] =>
  ordersOf(observed).filter(({ record, word }) => word === "retry" && record.status?.state === "RolledBack");

/** What is to be said of an order that cannot be followed; undefined where it can, or may be when the rollout has come so far. */
export const refusalOf = ({ record, word }: Order, trial: Trial | undefined): string | undefined => {
  const { name } = record.metadata;
  if (!ACTIONS.some((action) => action === word))
    return `${ACTION_ANNOTATION}: "${word.slice(0, 40)}" is unknown; use one of ${ACTIONS.join(", ")}`;
  const isRunning = name === trial?.name;
  if (word === "retry")
    return isRunning || record.status?.state !== "RolledBack"
      ? `${name}: retry works only on a rollout that was rolled back`
      : undefined;
  if (isRunning) return undefined;
  const why = record.status?.endedAt === undefined ? SUPERSEDED : "the rollout has ended";
  return `${name}: ${word} has no effect: ${why}`;
};

/** Whether the rollout, as this pass leaves it, has done what the order says; or never will. A retry is followed by the status. */
export const isDone = (order: Order, trial: Trial | undefined): boolean => {
  if (refusalOf(order, trial) !== undefined) return true;
  const phase = trial?.state.phase;
  if (order.word === "pause") return phase === "paused" || phase === "promoted" || phase === "rejected";
  if (order.word === "resume") return phase !== "paused";
  return phase === "promoted" || phase === "rejected";
};

/** The name of this revision's ModelRollout that has not ended, or one that none has. */
export const nextName = ({ modelRollouts }: Observed, revision: string): string => {
  const begun = modelRollouts.find((one) => one.metadata.name.startsWith(`${revision}-`) && isRunning(one));
  if (begun !== undefined) return begun.metadata.name;
  const numbers = modelRollouts
    .filter(({ metadata }) => metadata.name.startsWith(`${revision}-`))
    .map(({ metadata }) => Number(metadata.name.slice(revision.length + 1)) || 0);
  return `${revision}-${Math.max(0, ...numbers) + 1}`;
};

/** Of the rollout that runs: in words, and as the next leader wants it, where that is to be written. */
export type Evidence = { words?: string | undefined; memory?: string | undefined };

/** What was last written down of a rollout. */
export const memoryOf = ({ modelRollouts }: Observed, { name }: Pick<Trial, "name">): string | undefined =>
  named(modelRollouts, name)?.status?.memory;

export type Recorded = {
  trial?: Trial | undefined;
  /** Its record ends when it has given all back, or has taken over after all. */
  givingBack?: Pick<GivingBack, "name" | "weight"> | undefined;
  evidence: Evidence;
  /** What the spec asks for was rolled back, and is not tried again without a word on its record. */
  rejected?: string | undefined;
};

/** Writes the record of the rollout that runs, ends those that were left, and deletes the oldest. */
export const recordActions = (
  observed: Observed,
  stable: string,
  { evidence: { memory, words }, givingBack, rejected, trial }: Recorded,
  now: number,
): Action[] => {
  const { modelRollouts } = observed;
  const current = trial && named(modelRollouts, trial.name);
  const at = new Date(now).toISOString();
  const left = modelRollouts.filter((one) => one.metadata.name !== trial?.name && isRunning(one));
  const over = modelRollouts.filter((one) => one.metadata.name !== trial?.name && !isRunning(one));
  const byAge = over.toSorted((one, other) => age(one) - age(other));
  return [
    ...(trial === undefined
      ? []
      : current === undefined
        ? [create(MODEL_ROLLOUTS, recordOf(observed, { name: trial.name, revision: trial.revision.name }))]
        : written(current, statusOf(observed, trial, stable, { memory, words }, current, at))),
    ...(rejected === undefined || !lacksRecord(observed, rejected)
      ? []
      : [create(MODEL_ROLLOUTS, recordOf(observed, { name: nextName(observed, rejected), revision: rejected }))]),
    ...left.flatMap((one) =>
      one.metadata.name === givingBack?.name ? returning(one, givingBack) : ended(observed, one, at),
    ),
    ...byAge.slice(0, Math.max(0, byAge.length - (KEPT - 1))).flatMap((one) => remove(MODEL_ROLLOUTS, one)),
  ];
};

const age = ({ metadata }: ModelRollout): number => Date.parse(metadata.creationTimestamp ?? "") || 0;

const isRunning = ({ status }: ModelRollout): boolean => status?.endedAt === undefined;

const SUPERSEDED = "the spec asks for another revision";

/** It is superseded, and still has a share. */
const returning = (one: ModelRollout, { weight }: Pick<GivingBack, "weight">): Action[] => {
  if (one.status === undefined) return [];
  const verdict = `${SUPERSEDED}; its traffic is shifting back to stable`;
  return written(one, { ...withoutMemory(one.status), state: "Superseded", weight: `${weight}%`, verdict });
};

/** One that nobody goes on with: as the status says, which is written first. One that had not even begun leaves nothing to be read. */
const ended = (observed: Observed, one: ModelRollout, endedAt: string): Action[] => {
  const { status } = observed.modelDeployment;
  const before = one.status ?? unwritten(observed, one, endedAt);
  if (before === undefined) return remove(MODEL_ROLLOUTS, one);
  const { state, to } = before;
  // only one that answers where stable does not takes over though another one is wanted
  const taken = state === "Superseded" ? promoted("rescue") : "it is the stable revision";
  const rejection = status?.rollout?.rejected?.find(({ revision }) => revision === to);
  const end: Pick<RolloutRecord, "state" | "weight" | "verdict"> =
    status?.stable?.revision === to
      ? { state: "Promoted", weight: "100%", verdict: taken }
      : rejection !== undefined
        ? { state: "RolledBack", weight: "0%", verdict: rejection.message }
        : { state: "Superseded", weight: "0%", verdict: SUPERSEDED };
  return written(one, { ...withoutMemory(before), ...end, endedAt });
};

/** Of one that was rejected before anything was written of it: without a record nobody could ask for another try. */
const unwritten = ({ modelDeployment, owner }: Observed, one: ModelRollout, at: string): RolloutRecord | undefined => {
  const { stable } = modelDeployment.status ?? {};
  const to = one.metadata.labels?.[REVISION_LABEL];
  if (to === undefined || !isRejected(modelDeployment.status, to)) return undefined;
  const end = { step: "1/1", weight: "0%", state: "RolledBack" as const };
  return { model: owner.name, from: stable?.revision ?? "", to, ...end, startedAt: at };
};

const withoutMemory = ({ memory: _, ...status }: RolloutRecord): RolloutRecord => status;

const recordOf = ({ owner }: Observed, { name, revision }: { name: string; revision: string }): ModelRollout => ({
  apiVersion: API_VERSION,
  kind: ROLLOUT_KIND,
  metadata: childMeta(owner, name, revision),
});

/** Its record may have been refused as long as it ran, or deleted: then nobody could ask for another try. */
const lacksRecord = ({ modelDeployment, modelRollouts }: Observed, revision: string): boolean =>
  isRejected(modelDeployment.status, revision) &&
  !modelRollouts.some(({ metadata }) => metadata.labels?.[REVISION_LABEL] === revision);

const isRejected = (status: Observed["modelDeployment"]["status"], name: string): boolean =>
  status?.rollout?.rejected?.some(({ revision }) => revision === name) === true;

const written = (record: ModelRollout, wanted: RolloutRecord): Action[] => {
  const status = boundedRecord(wanted);
  return covers(status, record.status) ? [] : [applyStatus(MODEL_ROLLOUTS, record, status)];
};

const WORDS: Readonly<Record<Rollout["phase"], RolloutRecord["state"]>> = {
  preparing: "Progressing",
  shifting: "Progressing",
  observing: "Progressing",
  paused: "Paused",
  finishing: "Progressing",
  promoted: "Promoted",
  rejected: "RolledBack",
};

const statusOf = (
  { owner }: Observed,
  trial: Trial,
  stable: string,
  { memory, words }: Evidence,
  before: ModelRollout,
  at: string,
): RolloutRecord => {
  const { revision, state } = trial;
  const steps = trial.steps?.length ?? 0;
  const ended =
    state.phase === "promoted" || state.phase === "finishing" ? steps : Number(before.status?.step.split("/")[0] ?? 1);
  const step = "step" in state ? state.step + 1 : ended;
  const evidence = words ?? before.status?.evidence;
  const remembered = memory ?? before.status?.memory;
  return {
    model: owner.name,
    from: stable,
    to: revision.name,
    step: `${step}/${steps}`,
    weight: `${trialWeight(trial)}%`,
    state: WORDS[state.phase],
    ...(evidence === undefined ? {} : { evidence: oneLine(evidence) }),
    ...(state.phase === "rejected" ? { verdict: oneLine(rejected(state.rejection)) } : {}),
    ...(state.phase === "promoted" ? { verdict: promoted(state.by) } : {}),
    // once it is over nobody goes on with it
    ...(remembered === undefined || isOver(state) ? {} : { memory: remembered }),
    startedAt: before.status?.startedAt ?? at,
    ...(isOver(state) ? { endedAt: before.status?.endedAt ?? at } : {}),
  };
};
