/** Writes the status, and where the API server refuses it, the least that requests and the rollout go by. */
import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import {
  API_VERSION,
  findCondition,
  KIND,
  MODEL_DEPLOYMENTS,
  type ModelDeployment,
  type ModelDeploymentStatus,
  minimalStatus,
} from "../../api/v1alpha1/index.ts";
import { FIELD_MANAGER } from "../../apply/actions.ts";
import { covers, replacement } from "../../apply/drift.ts";
import { refusalIn } from "../../apply/obstacle.ts";
import { oneLine } from "../../domain/diagnosis/cause.ts";
import { refusalOf as refusalOfWrite } from "../../domain/diagnosis/refusal.ts";
import type { EventRecorder } from "../../platform/controller/events.ts";
import type { Client } from "../../platform/kube/client.ts";
import { KubeError } from "../../platform/kube/errors.ts";
import { fullNameOf, type ObjectKey } from "../../platform/kube/objects.ts";
import type { Observed } from "./observed.ts";

type Of = Pick<Observed, "modelDeployment" | "owner">;

/** People replace the installed CRD, and no watch reports it. */
const AGAIN_MS = 30_000;

type Context = { log: Pick<Logger, "error">; signal: AbortSignal };
/** The status that the API server has now, and when to look again because it is not the whole one. */
export type Written = { status: ModelDeploymentStatus; againAfterMs?: number };

export type StatusWriter = {
  write(key: ObjectKey, observed: Of, status: ModelDeploymentStatus, now: number, by: Context): Promise<Written>;
  forget(key: ObjectKey): void;
};

/** A status that was refused is not sent with each pass, but once in `AGAIN_MS`. */
export const createStatusWriter = (client: Client, events: EventRecorder): StatusWriter => {
  const refusals = new Map<string, { at: number; message: string }>();
  /** Those whose status is kept out altogether: by missing rights, or a webhook. */
  const denied = new Set<string>();
  const tellDenied = (key: ObjectKey, { modelDeployment }: Of, error: unknown): void => {
    const denial = refusalIn(error);
    if (denial === undefined || !("message" in denial) || denied.has(fullNameOf(key))) return;
    denied.add(fullNameOf(key));
    const { message } = refusalOfWrite(denial.message);
    events.event(modelDeployment, "Warning", "StatusRefused", "WriteStatus", oneLine(message));
  };
  return {
    async write(key, observed, status, now, { log, signal }) {
      const known = refusals.get(fullNameOf(key));
      if (known !== undefined && now - known.at < AGAIN_MS) {
        const written = await writeMinimal(client, observed, status, known.message, now, signal);
        return { status: written, againAfterMs: known.at + AGAIN_MS - now };
      }
      try {
        await applyAlone(client, observed, status, signal);
        refusals.delete(fullNameOf(key));
        denied.delete(fullNameOf(key));
        return { status };
      } catch (error) {
        const message = refusalOf(error);
        if (message === undefined) tellDenied(key, observed, error);
        if (message === undefined) throw error;
        refusals.set(fullNameOf(key), { at: now, message });
        if (known === undefined && !saysSo(observed)) {
          log.error(
            { err: error },
            "the API server refuses the status; only the refusal and the routing table are written",
          );
          events.event(observed.modelDeployment, "Warning", "StatusRefused", "WriteStatus", message);
        }
        return { status: await writeMinimal(client, observed, status, message, now, signal), againAfterMs: AGAIN_MS };
      }
    },
    forget(key) {
      refusals.delete(fullNameOf(key));
      denied.delete(fullNameOf(key));
    },
  };
};

const saysSo = ({ modelDeployment: { status } }: Of): boolean =>
  findCondition(status?.conditions, "Ready")?.reason === "StatusRefused";

/** What the API server says of a status that breaks the installed CRD: of an unknown field it says so with a 500. */
const refusalOf = (error: unknown): string | undefined => {
  if (!(error instanceof KubeError)) return undefined;
  const isUnknownField = error.status === 500 && error.message.includes("field not declared in schema");
  return error.kind === "terminal" || isUnknownField ? oneLine(error.message) : undefined;
};

/** If even that is refused, an older CRD lacks a field of the new rollout: then with the routing that it has taken before. */
const writeMinimal = async (
  client: Client,
  observed: Of,
  status: ModelDeploymentStatus,
  message: string,
  now: number,
  signal: AbortSignal,
): Promise<ModelDeploymentStatus> => {
  const before = observed.modelDeployment.status;
  const time = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
  const put = async (whole: ModelDeploymentStatus): Promise<ModelDeploymentStatus> => {
    const minimal = minimalStatus(whole, message, before?.conditions ?? [], time);
    if (!isDeepStrictEqual(minimal, before)) await apply(client, observed, minimal, signal);
    return minimal;
  };
  try {
    return await put(status);
  } catch (error) {
    if (refusalOf(error) === undefined) throw error;
    return await put({ ...before, observedGeneration: status.observedGeneration });
  }
};

/**
 * The status is as it was written. An apply leaves what somebody else has set beside it, which would stay for ever, or make of what is left of an
 * object one that the API server refuses; who owns a field cannot be changed by way of a status. So a merge patch takes the rest away.
 */
const applyAlone = async (
  client: Client,
  observed: Of,
  status: ModelDeploymentStatus,
  signal: AbortSignal,
): Promise<void> => {
  const written = await apply(client, observed, status, signal).catch((error: unknown) => {
    if (!(error instanceof Error) || refusalOf(error) === undefined) throw error;
    return error;
  });
  const isRefused = written instanceof Error;
  if (!isRefused && covers(written.status, status)) return;
  const { name, namespace, uid } = observed.owner;
  const found = isRefused ? await client.get(MODEL_DEPLOYMENTS, { name, namespace }, signal) : written;
  // what an installed CRD does not know is refused whoever owns what, and a patch would drop it without a word
  if (isRefused && !isSharedStatus(found)) throw written;
  const { resourceVersion = "" } = found.metadata;
  const patch = { metadata: { name, namespace, uid, resourceVersion }, status: replacement(status, found.status) };
  await client.patch(MODEL_DEPLOYMENTS, patch, { fieldManager: FIELD_MANAGER, subresource: "status", signal });
};

/** Something in it was not applied by Berth, so that an apply may leave it there. */
const isSharedStatus = ({ metadata: { managedFields = [] } }: ModelDeployment): boolean =>
  managedFields.some(
    ({ manager, operation, subresource }) =>
      subresource === "status" && (manager !== FIELD_MANAGER || operation !== "Apply"),
  );

/** Bound to the version that it was decided on: if the spec or the roles have changed since, observe again. */
const apply = async (
  client: Client,
  observed: Of,
  status: ModelDeploymentStatus,
  signal: AbortSignal,
): Promise<ModelDeployment> => {
  const { resourceVersion } = observed.modelDeployment.metadata;
  const { name, namespace, uid } = observed.owner;
  const object = {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name, namespace, uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    status,
  };
  return await client.apply(MODEL_DEPLOYMENTS, object, { fieldManager: FIELD_MANAGER, subresource: "status", signal });
};
