import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { formatBytes } from "../../../contract/bytes.ts";
import type { FetchProgress } from "../../../contract/pod.ts";
import { Failure, writeTermination } from "../../errors/termination.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { type AddressPolicy, clusterAddressPolicy } from "./address-policy.ts";
import { readAuthorization } from "./credentials.ts";
import { httpsSource, TIMEOUTS } from "./https.ts";
import { type Fetched, fetchModel } from "./index.ts";
import type { FetchOptions } from "./options.ts";
import { serveProgress } from "./progress.ts";
import { parseProxy, proxyFor } from "./proxy.ts";
import { pvcSource } from "./pvc.ts";
import type { Source } from "./source.ts";
import { parseModelUri, redact } from "./uri.ts";
import { readPin } from "./verify.ts";

const timing = { now: () => performance.now(), sleep: (ms: number) => sleep(ms), random: Math.random };

/** `fetch`, with the outcome left in the termination message. Resolves to the exit code. */
export const fetchCommand = async (options: FetchOptions, log: Logger): Promise<number> => {
  process.once("SIGTERM", () => process.exit(143));
  const started = performance.now();
  const untold = (error: Error) => log.warn(`the progress port cannot be opened: ${error.message}`);
  const progress = options.progressPort === undefined ? undefined : serveProgress(options.progressPort, untold);
  try {
    log.info(`fetching ${redact(options.uri)}`);
    const fetched = await runFetch(options, clusterAddressPolicy, log, progress?.observe);
    writeTermination(options.terminationLog, { outcome: "fetched", ...fetched });
    log.info(
      fetched,
      `fetched ${formatBytes(fetched.bytes)} in ${((performance.now() - started) / 1000).toFixed(1)} s: ${fetched.digest}`,
    );
    return 0;
  } catch (error) {
    if (error instanceof Failure) {
      log.error({ code: error.code }, error.message);
      writeTermination(options.terminationLog, { outcome: "failed", code: error.code, message: error.message });
      return 1;
    }
    // Such as a directory that cannot be written to; Node's messages name the path and the cause.
    const message = `the model cannot be fetched to ${options.to}: ${error instanceof Error ? error.message : String(error)}`;
    log.error(message);
    writeTermination(options.terminationLog, message);
    return 1;
  } finally {
    progress?.close();
  }
};

/** @param policy which addresses may be connected to */
export const runFetch = async (
  options: FetchOptions,
  policy: AddressPolicy,
  log: Logger,
  observe?: (progress: FetchProgress) => void,
): Promise<Fetched> => {
  const expected = { sha256: options.sha256, pin: readPin(options.pinFile) };
  const request = {
    source: createSource(options, policy),
    to: options.to,
    expected,
    diskLimitBytes: options.diskLimitBytes,
  };
  return fetchModel(request, log, timing, observe);
};

const createSource = (options: FetchOptions, policy: AddressPolicy): Source => {
  const uri = parseModelUri(options.uri, options.allowHttp);
  if (uri.scheme === "pvc") return pvcSource(redact(options.uri), uri.path, options.claimDirectory);
  const ca = options.caFile === undefined ? undefined : readCa(options.caFile);
  const proxy = options.proxy === undefined ? undefined : parseProxy(options.proxy, options.noProxy ?? "");
  const isReadable = ca !== undefined || uri.scheme === "http";
  const reader = isReadable ? proxyFor(proxy, uri.url.hostname)?.url : undefined;
  return httpsSource(uri.url, {
    allowHttp: options.allowHttp,
    ca,
    authorization:
      options.credentials === undefined ? undefined : readAuthorization(options.credentials, uri.url, reader),
    policy,
    proxy,
    timeouts: TIMEOUTS,
  });
};

/** Trying again would not mend a bundle: it is as wrong a reference as a wrong URI, and so has its code. */
const readCa = (file: string): string | undefined => {
  if (!existsSync(file)) return undefined;
  const pem = readFileSync(file, "utf8");
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]*(-----END CERTIFICATE-----)?/g) ?? [];
  const wrong = (what: string) =>
    new Failure(
      "ModelUriInvalid",
      `spec.model.caBundle: the key ca.crt of its ConfigMap ${what}; put PEM certificates there`,
    );
  if (certificates.length === 0) throw wrong("holds no PEM certificate");
  certificates.forEach((certificate, index) => {
    try {
      new X509Certificate(certificate);
    } catch {
      throw wrong(`has ${certificates.length} certificates, and number ${index + 1} cannot be read`);
    }
  });
  return pem;
};
