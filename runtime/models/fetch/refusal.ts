/** What an HTTP status that is no model means, and what to do. Pure. */
import { Failure } from "../../errors/termination.ts";
import { TransientFailure } from "./source.ts";
import type { Meaning, StoreError } from "./store-error.ts";

export type Refusal = {
  /** The URI, without what may be secret in it. */
  shown: string;
  status: number;
  /** Credentials were sent. */
  isAuthorized: boolean;
  error: StoreError | undefined;
  retryAfterMs: number | undefined;
};

/** Worth another try whatever the body says: the request took too long, came too early or too often, or the server is ill. */
const isTransient = (status: number): boolean => status === 408 || status === 425 || status === 429 || status >= 500;

export const refusalOf = ({ error, isAuthorized, retryAfterMs, shown, status }: Refusal): Failure => {
  const told = `${shown} answered ${status}${error === undefined ? "" : ` (${error.code})`}`;
  const meaning = error?.meaning;
  if (meaning === "busy" || isTransient(status)) return new TransientFailure(told, retryAfterMs);
  if (meaning === "missing" || status === 404 || status === 410)
    return new Failure("ModelNotFound", `${told}: there is no such model; check model.uri`);
  if (meaning !== undefined) return new Failure("ModelForbidden", `${told}: ${ADVICE[meaning](isAuthorized)}`);
  if (status === 401 || status === 403) return new Failure("ModelForbidden", `${told}: ${ADVICE.denied(isAuthorized)}`);
  return new Failure("ModelUriInvalid", `${told}, which is no model`);
};

const ADVICE: Readonly<Record<Exclude<Meaning, "busy" | "missing">, (isAuthorized: boolean) => string>> = {
  expired: (isAuthorized) =>
    isAuthorized
      ? "the token has expired; renew it in the Secret of model.credentials"
      : "the signed URI has expired; sign it anew, for longer than pods are started, and set model.uri to it",
  clock: () =>
    "it was signed by a clock that is wrong; correct the clock of whoever signs the URI, sign it anew, and set model.uri to it",
  signature: (isAuthorized) =>
    isAuthorized
      ? "it does not take these credentials; check the Secret of model.credentials"
      : "its signature is wrong; sign it anew, and copy the whole URI, with its query, to model.uri",
  twoWays: () => "it takes a signed URI or credentials, not both; remove model.credentials",
  denied: (isAuthorized) =>
    isAuthorized
      ? "it may not be read; check the Secret of model.credentials"
      : "it may not be read; name a Secret in model.credentials, or renew a signed URI",
  archived: () => "it is archived and cannot be read as it is; restore it in its store first",
  elsewhere: () => "it is in another region of the store; set model.uri to the address of that region",
};
