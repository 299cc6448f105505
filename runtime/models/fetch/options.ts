/** The command line of `fetch`. */
import { ADMIN_PORT, CLAIM_DIRECTORY, PROGRESS_PATH } from "../../../contract/pod.ts";
import { parse, port, required, size, text, UsageError } from "../../command-line/values.ts";
import { TERMINATION_LOG } from "../../errors/termination.ts";

export type FetchOptions = {
  uri: string;
  to: string;
  sha256: string | undefined;
  pinFile: string | undefined;
  caFile: string | undefined;
  credentials: string | undefined;
  proxy: string | undefined;
  noProxy: string | undefined;
  claimDirectory: string;
  allowHttp: boolean;
  diskLimitBytes: number | undefined;
  progressPort: number | undefined;
  terminationLog: string;
};

export const FETCH_HELP = `Download a model, check it, and put it in place.

  node runtime/main.ts fetch --uri URI --to FILE [options]

  --uri URI               https://…, http://… (with --allow-http) or pvc://claim/path (required)
  --to FILE               where the model goes, whole and verified or not at all (required)
  --sha256 HEX            the digest that the model must have
  --pin-file FILE         if FILE exists: "sha256:HEX", the digest that the model must have
  --ca-file FILE          if FILE exists: PEM certificates to trust in addition to the system's
  --credentials DIR       its file "token" (Bearer), or "username" and "password" (Basic); sent to the URI's own
                          origin only, and only if the file "hosts" lists its host
  --proxy URL             fetch through this proxy: http://host[:port] or https://host[:port] (default: none;
                          variables such as HTTPS_PROXY have no effect)
  --no-proxy HOSTS        hosts to reach directly: names, subdomains included, and IP addresses, separated by commas
  --claim-directory DIR   where the claim of a pvc:// URI is mounted (default: ${CLAIM_DIRECTORY})
  --allow-http            accept http:// too
  --disk-limit SIZE       maximum size of the model (default: the free space on the disk)
  --progress-port PORT    serve the progress on this port: ${PROGRESS_PATH} (default: none)
  --termination-log FILE  file for the outcome (default: ${TERMINATION_LOG}, if it is there)
  --help`;

export const parseFetchOptions = (args: string[]): FetchOptions | "help" => {
  const names = [
    "uri",
    "to",
    "sha256",
    "pin-file",
    "ca-file",
    "credentials",
    "proxy",
    "no-proxy",
    "claim-directory",
    "disk-limit",
    "progress-port",
  ];
  const values = parse("fetch", "--uri URI", args, [...names, "termination-log"], ["allow-http"]);
  if (values === "help") return "help";
  const sha256 = text(values, "sha256")?.toLowerCase();
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new UsageError("--sha256: give the 64 hexadecimal digits that sha256sum prints");
  }
  return {
    uri: required(values, "uri", "fetch", "--uri URI"),
    to: required(values, "to", "fetch", "--to FILE"),
    sha256,
    pinFile: text(values, "pin-file"),
    caFile: text(values, "ca-file"),
    credentials: text(values, "credentials"),
    proxy: text(values, "proxy"),
    noProxy: text(values, "no-proxy"),
    claimDirectory: text(values, "claim-directory") ?? CLAIM_DIRECTORY,
    allowHttp: values["allow-http"] === true,
    diskLimitBytes: size(values, "disk-limit"),
    progressPort: values["progress-port"] === undefined ? undefined : port(values, "progress-port", ADMIN_PORT),
    terminationLog: text(values, "termination-log") ?? TERMINATION_LOG,
  };
};
