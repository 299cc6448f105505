/** How many pods whoever serves is to have: between the status and `../../domain/scaling/`. Pure. */
import { devicesOf, isScaled, type Mark, MODEL_DEPLOYMENT_LABEL, type ScaleStatus } from "../../api/v1alpha1/index.ts";
import type { Learnt, Phases, Scale, Subject } from "../../domain/scaling/scale.ts";
import { scalingSettings } from "../../domain/scaling/settings.ts";
import { externalStatus } from "./external.ts";
import { deploymentOf, readyOf, routedPort, wantedOf } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";
import type { Roles } from "./revision-roles.ts";
import { strayUntil } from "./traffic.ts";

/** A revision is to be proved: for that it needs a pod, whoever asks for it. */
const isProving = ({ candidate, stable }: Roles): boolean => candidate !== undefined || stable === undefined;

/** Undefined where its number of pods does not follow the load, or nothing serves or is to serve. */
export const scaledSubject = (observed: Observed, roles: Roles, now: number): Subject | undefined => {
  const { metadata, spec, status } = observed.modelDeployment;
  const { candidate, refusal, stable } = roles;
  const serving = stable ?? candidate;
  const wish = refusal === undefined ? scalingSettings(spec) : undefined;
  if (wish === undefined || serving === undefined) return undefined;
  return {
    wish,
    generation: metadata.generation ?? 0,
    revisions: [serving, candidate]
      .flatMap((revision) => revision?.name ?? [])
      .filter((name, i, all) => all.indexOf(name) === i),
    isProving: isProving(roles),
    isCounted: routedPort(observed) !== undefined && now >= (strayUntil(observed) ?? 0),
    replicas: status?.scale?.wanted ?? deploymentOf(observed, serving)?.spec?.replicas,
    template: serving.spec.scheduling?.queueName === undefined ? serving.template.spec : undefined,
    devices: devicesOf(serving.spec),
    createdAt: Date.parse(metadata.creationTimestamp ?? "") || 0,
    learnt: learntOf(status?.scale),
  };
};

const learntOf = (scale: ScaleStatus | undefined): Learnt | undefined => {
  if (scale?.learnt === undefined) return undefined;
  const { phases, run, startMs } = scale.learnt;
  return {
    startSeconds: startMs / 1000,
    ...(phases === undefined ? {} : { phases: phasesFrom(phases) }),
    curve: run && {
      each: run.eachUs / 1e6,
      perItem: run.perItemUs / 1e6,
      maxBatch: run.maxBatch,
      parallel: run.parallel,
    },
  };
};

/** The same observation, with the pods that there are to be. */
export const withReplicas = (observed: Observed, roles: Roles, scale: Scale | undefined): Observed => {
  const replicas = scale?.wanted ?? observed.replicas;
  return {
    ...observed,
    replicas: isProving(roles) ? Math.max(1, replicas) : replicas,
    ...(scale?.canary === undefined ? {} : { canaryReplicas: scale.canary }),
  };
};

/** For an HPA, which counts the pods of both revisions, and for people. */
export const scaleStatus = (observed: Observed, scale: Scale | undefined): ScaleStatus => {
  const { deployments, modelDeployment, owner } = observed;
  return {
    replicas: deployments.reduce((sum, { status }) => sum + (status?.replicas ?? 0), 0),
    selector: `${MODEL_DEPLOYMENT_LABEL}=${owner.name}`,
    ...externalStatus(modelDeployment, observed.external),
    ...(scale === undefined ? {} : { wanted: scale.wanted, why: scale.why, ...toldOf(scale) }),
  };
};

const toldOf = ({ learnt, words }: Scale): Pick<ScaleStatus, "learnt" | "message"> => ({
  ...(words === "" ? {} : { message: words.slice(0, 256) }),
  ...(learnt === undefined
    ? {}
    : {
        learnt: {
          startMs: Math.round(learnt.startSeconds * 1000),
          ...(learnt.phases === undefined ? {} : { phases: phasesInMs(learnt.phases) }),
          ...(learnt.curve === undefined
            ? {}
            : {
                run: {
                  eachUs: Math.round(learnt.curve.each * 1e6),
                  perItemUs: Math.round(learnt.curve.perItem * 1e6),
                  maxBatch: learnt.curve.maxBatch,
                  parallel: learnt.curve.parallel,
                },
              }),
        },
      }),
});

type PhasesInMs = NonNullable<NonNullable<ScaleStatus["learnt"]>["phases"]>;

const PHASES = ["schedule", "pull", "fetch", "load"] as const;

const phasesInMs = (phases: Phases): PhasesInMs =>
  Object.fromEntries(
    PHASES.flatMap((name) => {
      const seconds = phases[name];
      return seconds === undefined ? [] : [[`${name}Ms`, Math.round(seconds * 1000)] as const];
    }),
  );

const phasesFrom = (phases: PhasesInMs): Phases =>
  Object.fromEntries(
    PHASES.flatMap((name) => {
      const ms = phases[`${name}Ms`];
      return ms === undefined ? [] : [[name, ms / 1000] as const];
    }),
  );

/** It has no pod since nobody asks for one. */
export const isAsleep = (observed: Observed, revision: Revision): boolean =>
  isScaled(observed.modelDeployment.spec) && wantedOf(observed, revision) === 0 && observed.replicas === 0;

/** It is between pods: the requests that come are held. */
export const isWaking = (observed: Observed, revision: Revision): boolean =>
  isScaled(observed.modelDeployment.spec) && wantedOf(observed, revision) > 0 && readyOf(observed, revision) === 0;

/** Whether what the routers count is heard; nothing where nobody listens. */
export const signalMarks = (observed: Observed, scale: Scale | undefined, now: number): Mark[] => {
  if (scale === undefined) return [];
  const type = "SignalsAvailable";
  if (routedPort(observed) === undefined) {
    const message = "no request is counted yet: the Service does not send requests through the routers";
    return [{ type, status: "Unknown", reason: "Routing", message }];
  }
  const stray = strayUntil(observed) ?? 0;
  if (now < stray && scale.deaf === undefined) {
    const until = new Date(stray).toISOString().slice(11, 19);
    const message = `no pod is removed before ${until} UTC: clients may still have connections that bypass the routers`;
    return [{ type, status: "Unknown", reason: "Routing", message }];
  }
  return scale.deaf === undefined
    ? [{ type, status: "True", reason: "RouterMetricsAvailable", message: "every router reports its counts" }]
    : [
        {
          type,
          status: "False",
          reason: "RouterMetricsUnavailable",
          message: `${scale.deaf}; no pod is removed`,
        },
      ];
};
