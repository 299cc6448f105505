/**
 * What an object store means by its error: S3 and what is compatible with it, Google's and Azure's. Their HTTP status is not enough: S3 says
 * 400 to an expired token and to a request that took too long, and 403 to an expired URI. Pure.
 *
 * Of a body only codes in these tables are shown: whoever chooses the URI must not read what any host in the cluster answers.
 */

export type Meaning =
  | "expired"
  | "clock"
  | "signature"
  | "twoWays"
  | "denied"
  | "archived"
  | "elsewhere"
  | "missing"
  | "busy";
export type StoreError = { code: string; meaning: Meaning };

const CODES: Readonly<Record<Meaning, readonly string[]>> = {
  expired: ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "ExpiredSignature", "ExpiredRequest"],
  clock: ["RequestTimeTooSkewed", "RequestExpired", "RequestNotYetValid"],
  signature: [
    ...["SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken", "InvalidSecurity", "InvalidSignature"],
    ...[
      "AuthorizationQueryParametersError",
      "AuthorizationHeaderMalformed",
      "AuthenticationFailed",
      "IncompleteSignature",
    ],
    ...["InvalidAuthenticationInfo", "UnrecognizedClientException", "InvalidClientTokenId", "authError"],
  ],
  twoWays: [],
  denied: [
    ...[
      "AccessDenied",
      "AllAccessDisabled",
      "AccountProblem",
      "NotSignedUp",
      "AccessDeniedException",
      "UserProjectMissing",
    ],
    ...[
      "AuthorizationFailure",
      "AuthorizationPermissionMismatch",
      "AuthorizationSourceIPMismatch",
      "AccountIsDisabled",
    ],
    ...["AuthorizationProtocolMismatch", "AuthorizationServiceMismatch", "AuthorizationResourceTypeMismatch"],
    ...[
      "InsufficientAccountPermissions",
      "PublicAccessNotPermitted",
      "NoAuthenticationInformation",
      "KeyBasedAuthenticationNotPermitted",
    ],
    ...[
      "KMS.DisabledException",
      "KMS.NotFoundException",
      "forbidden",
      "insufficientPermissions",
      "required",
      "accountDisabled",
    ],
  ],
  archived: ["InvalidObjectState", "BlobArchived", "BlobBeingRehydrated"],
  elsewhere: ["PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException"],
  missing: [
    ...[
      "NoSuchKey",
      "NoSuchBucket",
      "NoSuchVersion",
      "BlobNotFound",
      "ContainerNotFound",
      "ResourceNotFound",
      "notFound",
    ],
    ...["InvalidBucketName", "InvalidUri", "InvalidResourceName"],
  ],
  busy: [
    ...[
      "SlowDown",
      "SlowDownRead",
      "ServiceUnavailable",
      "InternalError",
      "RequestTimeout",
      "OperationAborted",
      "ServerBusy",
    ],
    ...["Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"],
    ...[
      "RequestLimitExceeded",
      "BandwidthLimitExceeded",
      "TooManyRequests",
      "TooManyRequestsException",
      "LimitExceeded",
    ],
    ...["PriorRequestNotComplete", "OperationTimedOut", "RequestTimeoutException", "rateLimitExceeded"],
    ...[
      "userRateLimitExceeded",
      "quotaExceeded",
      "dailyLimitExceeded",
      "backendError",
      "internalError",
      "XMinioServerNotInitialized",
    ],
  ],
};

const isMeaning = (name: string): name is Meaning => Object.hasOwn(CODES, name);

const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
  Object.entries(CODES).flatMap(([meaning, codes]) =>
    isMeaning(meaning) ? codes.map((code): [string, Meaning] => [code, meaning]) : [],
  ),
);

/** One code is several things; what its message says of time and of a second way to sign is the same in all stores. */
const byMessage = (message: string): Meaning | undefined => {
  if (/one auth(entication|orization)? mechanism/i.test(message)) return "twoWays";
  if (/not (yet|valid yet)/i.test(message)) return "clock";
  return /expired|signed expiry time|time frame/i.test(message) ? "expired" : undefined;
};

/**
 * Undefined: it is no error that is known.
 *
 * @param text the beginning of the body
 * @param header `x-ms-error-code`, where there is one: Azure says it there too
 */
export const readStoreError = (text: string, header: string | undefined): StoreError | undefined => {
  const found = text.trimStart().startsWith("{") ? fromJson(text) : fromXml(text);
  const code = [header, ...found.codes].find((one) => one !== undefined && (MEANINGS.has(one) || AMBIGUOUS.has(one)));
  if (code === undefined) return undefined;
  const known = MEANINGS.get(code);
  const isOfAccess = known === undefined || known === "denied" || known === "signature";
  const meaning = (isOfAccess ? byMessage(found.message) : undefined) ?? known;
  return meaning === undefined ? undefined : { code, meaning };
};

/** Codes that say something only with their message. */
const AMBIGUOUS: ReadonlySet<string> = new Set(["InvalidArgument", "InvalidRequest"]);

type Found = { codes: string[]; message: string };

const elementOf = (text: string, name: string): string =>
  new RegExp(`<${name}>\\s*([^<]{0,1000}?)\\s*</${name}>`, "i").exec(text)?.[1] ?? "";

/** Azure and Google say in a second element what is wrong with a signature. */
const fromXml = (text: string): Found => ({
  codes: [elementOf(text, "Code")],
  message: ["Message", "AuthenticationErrorDetail", "Details"].map((name) => elementOf(text, name)).join(" "),
});

const fromJson = (text: string): Found => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { codes: [], message: "" };
  }
  const outer = fieldsOf(value);
  const error = fieldsOf(outer.error);
  const [first] = Array.isArray(error.errors) ? error.errors : [];
  const said = [fieldsOf(first).reason, error.code, error.status, outer.code, outer.Code, outer.__type];
  return {
    codes: said.filter((one): one is string => typeof one === "string"),
    message: [error.message, outer.message, outer.Message].filter((one) => typeof one === "string").join(" "),
  };
};

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
