/** HAProxy as a peer: one thread, keep-alive on both sides, and two servers that share by weight. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Writes its configuration into `folder`; resolves with the file's path. */
export const writeHaproxyConfig = async (
  folder: string,
  port: number,
  stable: number,
  canary: number,
): Promise<string> => {
  const file = join(folder, "haproxy.cfg");
  await writeFile(
    file,
    `global
  maxconn 4096
  nbthread 1
defaults
  mode http
  timeout connect 2s
  timeout client 75s
  timeout server 30s
  http-reuse always
frontend digits
  bind 127.0.0.1:${port}
  default_backend digits
backend digits
  balance random
  server stable 127.0.0.1:${stable} weight 90
  server canary 127.0.0.1:${canary} weight 10
`,
  );
  return file;
};
