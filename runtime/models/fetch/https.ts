import { getCACertificates } from "node:tls";
import { Agent, type Dispatcher, request } from "undici";
import { Failure } from "../../errors/termination.ts";
import { type AddressPolicy, resolveHost } from "./address-policy.ts";
import { codingsOf } from "./content-coding.ts";
import { lookupOf, type ModelProxy, proxyFor, refusalByProxy, throughProxy } from "./proxy.ts";
import { continuationOf, type Header, strongValidator } from "./range.ts";
import { refusalOf } from "./refusal.ts";
import { parseRetryAfter } from "./retry-after.ts";
import { type Opened, type Resume, type Source, TransientFailure } from "./source.ts";
import { readStoreError } from "./store-error.ts";
import { parseModelUri, redact } from "./uri.ts";

export type HttpsOptions = {
  allowHttp: boolean;
  /** PEM certificates trusted besides the system's. */
  ca: string | undefined;
  /** The value of the Authorization header, for the URI's own origin only. */
  authorization: string | undefined;
  policy: AddressPolicy;
  proxy: ModelProxy | undefined;
  timeouts: { connectMs: number; headersMs: number; idleMs: number };
};

export const TIMEOUTS = { connectMs: 10_000, headersMs: 30_000, idleMs: 30_000 };
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** A model at an http(s) URL. Every hop's address is checked, and connected to as it was checked. */
export const httpsSource =
  (url: URL, options: HttpsOptions): Source =>
  async (resume) => {
    const opened = await openAt(url, resume, options);
    if (typeof opened !== "string") return opened;
    const whole = await openAt(url, undefined, options);
    if (typeof whole === "string") throw new TransientFailure(`${redact(url.href)}: ${whole}`);
    return { ...whole, again: opened };
  };

/** Or why what is there cannot be gone on with. */
const openAt = async (url: URL, resume: Resume | undefined, options: HttpsOptions): Promise<Opened | string> => {
  let current = url;
  // whoever it was led away to may lead it back to any path, which is not for them to choose
  let isOwn = true;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    isOwn &&= current.origin === url.origin;
    const authorization = isOwn ? options.authorization : undefined;
    const { response, agent } = await send(current, authorization, resume, options);
    const location = response.headers.location;
    if (!REDIRECTS.has(response.statusCode) || typeof location !== "string") {
      return readResponse({ url: current, response, agent, resume, isAuthorized: authorization !== undefined });
    }
    await agent.destroy();
    current = redirect(current, location, options.allowHttp);
  }
  throw new Failure(
    "ModelUriInvalid",
    `${redact(url.href)} redirects more than ${MAX_REDIRECTS} times; set spec.model.uri to the file itself`,
  );
};

const redirect = (from: URL, location: string, allowHttp: boolean): URL => {
  const target = URL.parse(location, from.href)?.href ?? location;
  const next = parseModelUri(target, allowHttp);
  if (next.scheme === "pvc" || (from.protocol === "https:" && next.scheme === "http")) {
    throw new Failure(
      "ModelUriInvalid",
      `${redact(from.href)} redirects to ${redact(location)}, which Berth does not follow; set spec.model.uri to the file itself`,
    );
  }
  return next.url;
};

const send = async (url: URL, authorization: string | undefined, resume: Resume | undefined, options: HttpsOptions) => {
  const proxy = proxyFor(options.proxy, url.hostname);
  const agent =
    proxy === undefined ? await directly(url, options) : await throughProxy(proxy, url.hostname, tls(options));
  const headers: Record<string, string> = { "accept-encoding": "identity", "user-agent": "berth" };
  if (authorization !== undefined) headers.authorization = authorization;
  if (resume !== undefined) {
    headers.range = `bytes=${resume.offset}-`;
    headers["if-range"] = resume.validator;
  }
  try {
    return { agent, response: await request(url, { dispatcher: agent, headers }) };
  } catch (error) {
    await agent.destroy();
    throw refusalByProxy(proxy, error) ?? describeConnectionError(url, error);
  }
};

const directly = async (url: URL, options: HttpsOptions): Promise<Dispatcher> => {
  const { ca, timeouts } = tls(options);
  const addresses = await resolveHost(url.hostname, options.policy);
  return new Agent({
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.idleMs,
    connect: { timeout: timeouts.connectMs, lookup: lookupOf(addresses), ...(ca === undefined ? {} : { ca }) },
  });
};

const tls = ({ ca, ...rest }: HttpsOptions) => ({
  ...rest,
  ca: ca === undefined ? undefined : [...getCACertificates("default"), ca],
});

type Response = {
  url: URL;
  response: Dispatcher.ResponseData;
  agent: Dispatcher;
  resume: Resume | undefined;
  isAuthorized: boolean;
};

const readResponse = async (given: Response): Promise<Opened | string> => {
  const { agent, resume, response, url } = given;
  const { headers, statusCode } = response;
  const header = (name: string): string | undefined => [headers[name] ?? []].flat()[0];
  const shown = redact(url.href);
  if (statusCode === 416 && resume !== undefined) {
    await agent.destroy();
    return "the model is shorter now";
  }
  const failure = await failureOf(given, header);
  const range = statusCode === 206 && resume !== undefined ? continuationOf(header, resume) : undefined;
  if (failure !== undefined || typeof range === "string" || (statusCode === 206 && range === undefined)) {
    await agent.destroy();
    if (failure !== undefined) throw failure;
    return typeof range === "string" ? range : "the server answered with an unrequested range";
  }
  const length = header("content-length");
  const total = range === undefined ? (length === undefined ? undefined : Number(length)) : range.total;
  const isAgain = resume !== undefined && range === undefined;
  return {
    shown,
    offset: range?.first ?? 0,
    total,
    hasEnd: total !== undefined || /chunked/i.test(header("transfer-encoding") ?? ""),
    validator: range === undefined ? strongValidator(header) : resume?.validator,
    ...(isAgain ? { again: "the server does not resume" } : {}),
    body: readBody(url, response, agent),
    discard: () => agent.destroy(),
  };
};

/** An error's document is small. */
const MOST_ERROR_BYTES = 16 * 1024;
/** Of a server that sends it slowly. */
const MOST_ERROR_MS = 5000;

const failureOf = async (given: Response, header: Header): Promise<Failure | undefined> => {
  const { agent, isAuthorized, response, url } = given;
  const { headers, statusCode: status } = response;
  const shown = redact(url.href);
  const codings = codingsOf(headers["content-encoding"]);
  if (status === 200 || status === 206) return encodingFailure(shown, codings);
  const text = codings.length === 0 ? await beginningOf(response, agent) : "";
  return refusalOf({
    ...{ shown, status, isAuthorized },
    error: readStoreError(text, header("x-ms-error-code")),
    retryAfterMs: parseRetryAfter(header("retry-after"), Date.parse(header("date") ?? "") || Date.now()),
  });
};

const beginningOf = async (response: Dispatcher.ResponseData, agent: Dispatcher): Promise<string> => {
  const pieces: Uint8Array[] = [];
  let left = MOST_ERROR_BYTES;
  const timer = setTimeout(() => void agent.destroy(), MOST_ERROR_MS);
  try {
    for await (const chunk of response.body) {
      if (chunk instanceof Uint8Array) pieces.push(chunk.subarray(0, left));
      left -= pieces.at(-1)?.length ?? 0;
      if (left <= 0) break;
    }
  } catch {
    // What has come says enough, or the status does.
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(pieces)
    .toString()
    .replace(/^\uFEFF/, "");
};

async function* readBody(url: URL, response: Dispatcher.ResponseData, agent: Dispatcher): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body) if (chunk instanceof Uint8Array) yield chunk;
  } catch (error) {
    throw describeConnectionError(url, error);
  } finally {
    await agent.destroy();
  }
}

const encodingFailure = (shown: string, codings: readonly string[]): Failure | undefined =>
  codings.length === 0
    ? undefined
    : new Failure(
        "ModelUriInvalid",
        `${shown} sends the model with content-encoding ${codings.join(", ")}; serve it without`,
      );

const CERTIFICATE_ERRORS =
  /^(ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED_CERT|HOSTNAME_MISMATCH|INVALID_CA)/;

const describeConnectionError = (url: URL, error: unknown): Failure => {
  if (error instanceof Failure) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (CERTIFICATE_ERRORS.test(code)) {
    const reason = `the certificate of ${url.host} is not trusted (${code}); put its certificate authority into spec.model.caBundle`;
    return new Failure("ModelUnreachable", reason);
  }
  const reason = code !== "" ? code : error instanceof Error ? error.name : "unknown error";
  return new TransientFailure(`${redact(url.href)} cannot be read (${reason})`);
};
