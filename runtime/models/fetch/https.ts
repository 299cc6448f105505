import { getCACertificates } from "node:tls";
import { Agent, type Dispatcher, request } from "undici";
import { Failure } from "../../termination.ts";
import { type AddressPolicy, resolveHost } from "./address-policy.ts";
import { codingsOf } from "./content-coding.ts";
import { lookupOf, type ModelProxy, proxyFor, refusalByProxy, throughProxy } from "./proxy.ts";
import { type Opened, type Resume, type Source, TransientFailure } from "./source.ts";
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
export const httpsSource = (url: URL, options: HttpsOptions): Source => {
  return async (resume) => {
    let current = url;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const { response, agent } = await send(current, current.origin === url.origin, resume, options);
      const location = response.headers.location;
      if (!REDIRECTS.has(response.statusCode) || typeof location !== "string") {
        return readResponse(current, response, agent, resume, options);
      }
      await agent.destroy();
      current = redirect(current, location, options.allowHttp);
    }
    throw new Failure("ModelUriInvalid", `${redact(url.href)} redirects more than ${MAX_REDIRECTS} times`);
  };
};

const redirect = (from: URL, location: string, allowHttp: boolean): URL => {
  const target = URL.parse(location, from.href)?.href ?? location;
  const next = parseModelUri(target, allowHttp);
  if (next.scheme === "pvc" || (from.protocol === "https:" && next.scheme === "http")) {
    throw new Failure(
      "ModelUriInvalid",
      `${redact(from.href)} redirects to ${redact(location)}, which is not followed`,
    );
  }
  return next.url;
};

const send = async (url: URL, ownOrigin: boolean, resume: Resume | undefined, options: HttpsOptions) => {
  const proxy = proxyFor(options.proxy, url.hostname);
  const agent =
    proxy === undefined ? await directly(url, options) : await throughProxy(proxy, url.hostname, tls(options));
  const headers: Record<string, string> = { "accept-encoding": "identity", "user-agent": "berth" };
  if (ownOrigin && options.authorization !== undefined) headers.authorization = options.authorization;
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

const readResponse = async (
  url: URL,
  response: Dispatcher.ResponseData,
  agent: Dispatcher,
  resume: Resume | undefined,
  options: HttpsOptions,
): Promise<Opened> => {
  const { statusCode, headers } = response;
  const header = (name: string): string | undefined => [headers[name] ?? []].flat()[0];
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(header("content-range") ?? "");
  const failure =
    statusFailure(url, statusCode, options) ?? encodingFailure(url, codingsOf(headers["content-encoding"]));
  if (failure !== undefined || (statusCode === 206 && Number(range?.[1]) !== resume?.offset)) {
    await agent.destroy();
    throw failure ?? new TransientFailure(`${redact(url.href)} answered with another range than it was asked for`);
  }
  const length = header("content-length");
  const total = range?.[2] ?? length;
  return {
    offset: statusCode === 206 ? (resume?.offset ?? 0) : 0,
    total: total === undefined ? undefined : Number(total),
    validator: strongValidator(header("etag"), header("last-modified"), header("date")),
    body: readBody(url, response, agent),
  };
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

const statusFailure = (url: URL, status: number, { authorization }: HttpsOptions): Failure | undefined => {
  const shown = redact(url.href);
  if (status === 200 || status === 206) return undefined;
  if (status === 404 || status === 410)
    return new Failure("ModelNotFound", `${shown} answered ${status}: there is no such model; check model.uri`);
  if (status === 401 || status === 403) {
    const advice =
      authorization === undefined
        ? "name a Secret in model.credentials, or renew a signed URI"
        : "check the Secret of model.credentials";
    return new Failure("ModelForbidden", `${shown} answered ${status}: it may not be read; ${advice}`);
  }
  if (status === 408 || status === 416 || status === 429 || status >= 500)
    return new TransientFailure(`${shown} answered ${status}`);
  return new Failure("ModelUriInvalid", `${shown} answered ${status}, which is no model`);
};

const encodingFailure = (url: URL, codings: readonly string[]): Failure | undefined =>
  codings.length === 0
    ? undefined
    : new Failure(
        "ModelUriInvalid",
        `${redact(url.href)} sends the model with content-encoding ${codings.join(", ")}; it must send it as it is`,
      );

/** RFC 9110: a weak ETag is no proof of equal bytes, and a date is one only if it lies well before the answer. */
const strongValidator = (etag?: string, modified?: string, date?: string): string | undefined => {
  if (etag !== undefined) return etag.startsWith('"') ? etag : undefined;
  return Date.parse(date ?? "") - Date.parse(modified ?? "") >= 60_000 ? modified : undefined;
};

const CERTIFICATE_ERRORS =
  /^(ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED_CERT|HOSTNAME_MISMATCH|INVALID_CA)/;

const describeConnectionError = (url: URL, error: unknown): Failure => {
  if (error instanceof Failure) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (CERTIFICATE_ERRORS.test(code)) {
    const reason = `the certificate of ${url.host} is not trusted (${code}); give its authority in model.caBundle`;
    return new Failure("ModelUnreachable", reason);
  }
  const reason = code !== "" ? code : error instanceof Error ? error.name : "unknown error";
  return new TransientFailure(`${redact(url.href)} cannot be read (${reason})`);
};
