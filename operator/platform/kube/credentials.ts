import { createHash } from "node:crypto";

/** What a connection to the API server needs. `headers` hold the token, the rest decides whose TLS session it is. */
export type Credentials = {
  server: string;
  headers: Record<string, string>;
  tls: { ca?: string; cert?: string; key?: string; servername?: string; rejectUnauthorized?: boolean };
  /** Changes when a new TLS connection must be made. */
  fingerprint: string;
};

/** Reads the credentials as they are now; files on disk (token, CA, client certificate) are read anew. */
export type ReadCredentials = () => Promise<Credentials>;

export const fingerprintOf = (server: string, tls: Credentials["tls"]): string =>
  createHash("sha256")
    .update(JSON.stringify([server, tls]))
    .digest("hex");
