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
    return new Failure("ModelNotFound", `${told}: there is no such model; check spec.model.uri`);
  if (meaning !== undefined) return new Failure("ModelForbidden", `${told}: ${ADVICE[meaning](isAuthorized)}`);
  if (status === 401 || status === 403) return new Failure("ModelForbidden", `${told}: ${ADVICE.denied(isAuthorized)}`);
  return new Failure("ModelUriInvalid", `${told}: this is not a model; check spec.model.uri`);
};

const ADVICE: Readonly<Record<Exclude<Meaning, "busy" | "missing">, (isAuthorized: boolean) => string>> = {
  expired: (isAuthorized) =>
    isAuthorized
      ? "the token has expired; renew it in the Secret of spec.model.credentials"
      : "the signed URI has expired; set spec.model.uri to a new one that stays valid for as long as pods start",
  clock: () => "the clock of the signer is wrong; correct it, sign the URI again, and set spec.model.uri to it",
  signature: (isAuthorized) =>
    isAuthorized
      ? "it rejects these credentials; check the Secret of spec.model.credentials"
      : "the signature of the URI is wrong; sign it again, and copy all of it, query included, to spec.model.uri",
  twoWays: () => "it accepts a signed URI or credentials, not both; remove spec.model.credentials",
  denied: (isAuthorized) =>
    isAuthorized
      ? "access is denied; check the Secret of spec.model.credentials"
      : "access is denied; name a Secret in spec.model.credentials, or renew a signed URI",
  archived: () => "the object is archived; restore it in its store",
  elsewhere: () => "the object is in another region of the store; set spec.model.uri to an address of that region",
};
