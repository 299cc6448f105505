import { Failure } from "../../errors/termination.ts";

export type ModelUri =
  | { scheme: "http" | "https"; url: URL }
  /** `path` names the file as the file system does. */
  | { scheme: "pvc"; claim: string; path: string };

/** Longer than any pre-signed URL in use. */
const MAX_LENGTH = 4096;

/** Reads a model's URI. Throws a Failure (ModelUriInvalid) that says which part to change. */
export const parseModelUri = (uri: string, allowHttp: boolean): ModelUri => {
  const refuse = (reason: string): never => {
    throw new Failure("ModelUriInvalid", `model URI ${redact(uri)}: ${reason}`);
  };
  if (uri.length > MAX_LENGTH)
    refuse(`it has ${uri.length} characters, and at most ${MAX_LENGTH} are allowed; use a shorter one`);
  if (/[^\x21-\x7e]/.test(uri))
    refuse("it has spaces, line breaks or characters outside of ASCII; percent-encode them");
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === "pvc") {
    const [, claim, path] = /^pvc:\/\/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)\/(.+)$/i.exec(uri) ?? [];
    if (claim === undefined || path === undefined) return refuse("write pvc://claim/path/to/model.onnx");
    return {
      scheme,
      claim,
      path: path
        .split("/")
        .map((part) => decodeName(part, refuse))
        .join("/"),
    };
  }
  if (scheme !== "https" && scheme !== "http")
    return refuse("its scheme must be https:// or pvc:// (or http://, where the operator allows it)");
  if (scheme === "http" && !allowHttp) refuse("http:// is not allowed here; use https://");
  const url = URL.parse(uri);
  if (url === null || url.hostname === "")
    return refuse("it is not a URL; write https://host/path or pvc://claim/path");
  if (url.username !== "" || url.password !== "")
    refuse("it holds a user name or a password; use spec.model.credentials");
  return { scheme, url };
};

/** Decoded once, each name for itself: what is encoded is a part of the name, and never what separates it from another. */
const decodeName = (part: string, refuse: (reason: string) => never): string => {
  if (/%(?![0-9a-f]{2})/i.test(part)) refuse(`its path has a "%" that encodes nothing; write %25 for the sign itself`);
  let name: string;
  try {
    name = decodeURIComponent(part);
  } catch {
    return refuse("its path does not decode to UTF-8; encode the name in UTF-8");
  }
  if (name === "" || name === "." || name === "..")
    refuse("its path has an empty part, '.' or '..'; write the path without");
  if (/[/\0]/.test(name)) refuse("its path has %2F or %00, which no file name can have; correct it");
  return name;
};

/** A URI as it may be shown: queries and user names can hold credentials. */
export const redact = (uri: string): string => {
  const [base = "", ...rest] = uri.slice(0, MAX_LENGTH).split(/[?#]/);
  const shown = base.replace(/[^\x21-\x7e]/g, "�").replace(/^([a-z0-9+.-]*:\/\/)[^/]*@/i, "$1…@");
  return `${shown.length > 200 ? `${shown.slice(0, 200)}…` : shown}${rest.length > 0 ? "?…" : ""}`;
};
