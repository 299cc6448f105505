import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { FetchProgress } from "../../../contract/pod.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { diskFull, isNoSpace, roomFor } from "./disk.ts";
import { type Downloaded, download, type Timing } from "./download.ts";
import type { Source } from "./source.ts";
import { checkDigest, type Expected, hashFile } from "./verify.ts";

export type FetchRequest = { source: Source; to: string; expected: Expected; diskLimitBytes: number | undefined };
export type Fetched = { digest: string; bytes: number };

/**
 * Puts the model at `to`: whole and verified, or not at all. What is there already, from an earlier run of the same
 * container, is kept if it is proved to be right. Throws a Failure.
 */
export const fetchModel = async (
  request: FetchRequest,
  log: Logger,
  timing: Timing,
  observe?: (progress: FetchProgress) => void,
): Promise<Fetched> => {
  const { to, expected } = request;
  if (expected.sha256 !== undefined || expected.pin !== undefined) {
    const present = await hashFile(to);
    if (present !== undefined && matches(present.hex, present.bytes, expected)) {
      log.info("the model is there already");
      return { digest: `sha256:${present.hex}`, bytes: present.bytes };
    }
  }
  const partial = `${to}.partial`;
  await rm(partial, { force: true });
  const room = await roomFor(dirname(to), request.diskLimitBytes);
  try {
    const file = await open(partial, "w", 0o644);
    try {
      const check = (of: Downloaded): void => checkDigest(of.hex, of.bytes, expected);
      const isExpecting = expected.sha256 !== undefined || expected.pin !== undefined;
      const { hex, bytes } = await download(request.source, { file, room, isExpecting, check }, log, timing, observe);
      await rename(partial, to);
      return { digest: `sha256:${hex}`, bytes };
    } finally {
      await file.close();
    }
  } catch (error) {
    await rm(partial, { force: true });
    throw isNoSpace(error) ? diskFull(undefined, room) : error;
  }
};

const matches = (hex: string, bytes: number, expected: Expected): boolean => {
  try {
    checkDigest(hex, bytes, expected);
    return true;
  } catch {
    return false;
  }
};
