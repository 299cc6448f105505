/**
 * Credentials from a mounted Secret, for hosts that the Secret itself names. Whoever may name a Secret in a ModelDeployment may not be
 * somebody who may read it, and chooses the host: only the Secret's owner says where it goes.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { Failure } from "../../errors/termination.ts";

/**
 * The Authorization header: `token`, or `username` and `password`. Throws a Failure where the Secret holds neither: asked
 * without them, a server would blame the model.
 *
 * @param reader a proxy that could read it on its way: who chooses that and the authority that is trusted could be any host
 */
export const readAuthorization = (directory: string, url: URL, reader?: URL): string => {
  const read = (name: string): string | undefined => {
    try {
      return readFileSync(join(directory, name), "utf8").replace(/\r?\n$/, "");
    } catch {
      return undefined;
    }
  };
  const [token, username, password] = [read("token"), read("username"), read("password")];
  if (token === undefined && username === undefined && password === undefined) throw noneOf(directory);
  requireHost(read("hosts"), url);
  if (reader !== undefined) requireHost(read("hosts"), reader);
  if (token !== undefined) {
    if (!/^[\x21-\x7e]+$/.test(token))
      throw new Failure(
        "ModelForbidden",
        "the token in the Secret of spec.model.credentials is empty, or has spaces or line breaks; correct it",
      );
    return `Bearer ${token}`;
  }
  if (username === undefined || password === undefined) {
    throw new Failure(
      "ModelForbidden",
      `the Secret of spec.model.credentials has only ${keysIn(directory)}; it needs both username and password, or token`,
    );
  }
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
};

const noneOf = (directory: string): Failure =>
  new Failure(
    "ModelForbidden",
    `the Secret of spec.model.credentials has ${keysIn(directory)}; it needs hosts, and token or username and password. ` +
      "Berth does not sign requests with keys of an object store: use a signed URI, without credentials",
  );

const MOST_KEYS = 10;

/** The names of a Secret's keys are no secret. What the kubelet keeps beside them begins with two dots. */
const keysIn = (directory: string): string => {
  const keys = existsSync(directory) ? readdirSync(directory).filter((name) => !name.startsWith("..")) : [];
  if (keys.length === 0) return "no keys";
  const shown = keys.toSorted().slice(0, MOST_KEYS);
  return `the key${keys.length === 1 ? "" : "s"} ${shown.join(", ")}${keys.length > MOST_KEYS ? ", …" : ""}`;
};

/** What the Secret holds is not shown: it may be of another kind, and `hosts` something else. */
const requireHost = (hosts: string | undefined, url: URL): void => {
  const patterns = (hosts ?? "").split(/[\s,]+/).filter((pattern) => pattern !== "");
  if (patterns.some((pattern) => allows(pattern, url))) return;
  const wrong = patterns.findIndex((pattern) => !PATTERN.test(pattern));
  const patch = `kubectl patch secret NAME --type merge -p '{"stringData":{"hosts":"${url.host}"}}'`;
  const has =
    patterns.length === 0
      ? `has no key "hosts", so Berth sends it to no host; to allow this host: ${patch}`
      : `does not list ${url.host} in its key "hosts", so Berth does not send it there; add the host${wrong < 0 ? "" : `, and correct entry ${wrong + 1}, which is not a host such as models.example.com, *.example.com or models.example.com:8443`}`;
  throw new Failure("CredentialsNotForHost", `the Secret of spec.model.credentials ${has}`);
};

const PATTERN = /^(\*\.)?([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?$/i;

/** `models.example.com`: with any port. `*.example.com`: what ends in `.example.com`, never an address. */
const allows = (pattern: string, { hostname, port, protocol }: URL): boolean => {
  const [, wildcard, host = "", wantedPort] = PATTERN.exec(pattern.toLowerCase()) ?? [];
  if (host === "") return false;
  const effectivePort = port === "" ? (protocol === "http:" ? "80" : "443") : port;
  if (wantedPort !== undefined && Number(wantedPort) !== Number(effectivePort)) return false;
  if (wildcard === undefined) return hostname === host;
  return isIP(hostname) === 0 && !hostname.startsWith("[") && hostname.endsWith(`.${host}`);
};
