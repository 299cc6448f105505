import { Failure } from "../../termination.ts";

export type ModelUri = { scheme: "http" | "https"; url: URL } | { scheme: "pvc"; claim: string; path: string };

/** Longer than any pre-signed URL in use. */
const MAX_LENGTH = 4096;

/** Reads a model's URI. Throws a Failure (ModelUriInvalid) that says which part to change. */
export const parseModelUri = (uri: string, allowHttp: boolean): ModelUri => {
  const refuse = (reason: string): never => {
    throw new Failure("ModelUriInvalid", `model URI ${redact(uri)}: ${reason}`);
  };
  if (uri.length > MAX_LENGTH) refuse(`it has ${uri.length} characters, ${MAX_LENGTH} are allowed`);
  if (/[^\x21-\x7e]/.test(uri))
    refuse("it has spaces, line breaks or characters outside of ASCII; percent-encode them");
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === "pvc") {
    const [, claim, path] = /^pvc:\/\/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)\/(.+)$/i.exec(uri) ?? [];
    if (claim === undefined || path === undefined) return refuse("write pvc://claim/path/to/model.onnx");
    if (path.split("/").some((part) => part === "" || part === "." || part === "..")) {
      refuse("its path has an empty part, '.' or '..'");
    }
    return { scheme, claim, path };
  }
  if (scheme !== "https" && scheme !== "http")
    return refuse("its scheme is none of https://, pvc:// (and http:// where allowed)");
  if (scheme === "http" && !allowHttp) refuse("http:// is not allowed here; use https://");
  const url = URL.parse(uri);
  if (url === null || url.hostname === "") return refuse("it is not a URL");
  if (url.username !== "" || url.password !== "") refuse("it holds a user name or password; use model.credentials");
  return { scheme, url };
};

/** A URI as it may be shown: queries and user names can hold credentials. */
export const redact = (uri: string): string => {
  const [base = "", ...rest] = uri.slice(0, MAX_LENGTH).split(/[?#]/);
  const shown = base.replace(/[^\x21-\x7e]/g, "�").replace(/^([a-z0-9+.-]*:\/\/)[^/]*@/i, "$1…@");
  return `${shown.length > 200 ? `${shown.slice(0, 200)}…` : shown}${rest.length > 0 ? "?…" : ""}`;
};
