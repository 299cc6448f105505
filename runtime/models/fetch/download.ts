import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { type FetchProgress, formatBytes } from "../../../operator/api/v1alpha1/index.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { Failure } from "../../termination.ts";
import { diskFull, isNoSpace } from "./disk.ts";
import { type Source, TransientFailure } from "./source.ts";

export type Timing = { now(): number; sleep(ms: number): Promise<void>; random(): number };

const ATTEMPTS = 5;
const PROGRESS_MS = 5000;

/**
 * Writes a model to `file` and gives its digest and size. What fails for a passing reason is tried again, from where it
 * stopped if the source can prove that the bytes are still the same. `room`: the most bytes that may be written.
 */
export const download = async (
  source: Source,
  file: FileHandle,
  room: number,
  log: Logger,
  timing: Timing,
  observe: (progress: FetchProgress) => void = () => undefined,
): Promise<{ hex: string; bytes: number }> => {
  let hash = createHash("sha256");
  let written = 0;
  let validator: string | undefined;

  const attempt = async (): Promise<void> => {
    const opened = await source(written > 0 && validator !== undefined ? { offset: written, validator } : undefined);
    if (opened.total !== undefined && opened.total > room) {
      await opened.body[Symbol.asyncIterator]().return?.();
      throw diskFull(opened.total, room);
    }
    validator = opened.validator;
    if (opened.offset !== written) {
      await file.truncate(0);
      hash = createHash("sha256");
      written = 0;
    } else if (written > 0) log.info(`going on at ${formatBytes(written)}`);
    const progress = createProgress(opened.total, log, timing);
    const begun = timing.now();
    const had = written;
    for await (const chunk of opened.body) {
      // '<' begins web pages and XML errors, and no ONNX model
      if (written === 0 && chunk[0] === 0x3c) {
        throw new Failure(
          "ModelInvalid",
          "the URI leads to a web page or an XML document, not to a model; check model.uri",
        );
      }
      if (written + chunk.length > room) throw diskFull(opened.total, room);
      await writeAll(file, chunk, written);
      hash.update(chunk);
      written += chunk.length;
      progress(written);
      const { total } = opened;
      observe({
        bytes: written,
        ...(total === undefined ? {} : { total }),
        seconds: secondsFor(written, had, timing.now() - begun),
      });
    }
    if (opened.total !== undefined && written !== opened.total) {
      throw new TransientFailure(`the model ended after ${formatBytes(written)} of ${formatBytes(opened.total)}`);
    }
  };

  for (let tried = 1; ; tried++) {
    try {
      await attempt();
      await file.sync();
      return { hex: hash.digest("hex"), bytes: written };
    } catch (error) {
      if (isNoSpace(error)) throw diskFull(undefined, written);
      if (!(error instanceof TransientFailure)) throw error;
      if (tried >= ATTEMPTS) throw new Failure(error.code, `${error.message}; tried ${ATTEMPTS} times`);
      // 0.5, 1, 2, 4 s, each between a half and the whole of it
      const delayMs = 500 * 2 ** (tried - 1) * (0.5 + timing.random() / 2);
      log.warn(`${error.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
      await timing.sleep(delayMs);
    }
  }
};

/** As if all had come at the pace of this attempt: what an earlier one has left took time that says nothing of the rest. */
const secondsFor = (written: number, had: number, ms: number): number =>
  written === had ? 0 : (ms / 1000) * (written / (written - had));

const writeAll = async (file: FileHandle, chunk: Uint8Array, position: number): Promise<void> => {
  for (let at = 0; at < chunk.length; ) {
    at += (await file.write(chunk, at, chunk.length - at, position + at)).bytesWritten;
  }
};

/** A line every 10 % or 5 s, whichever is later of those that are due. */
const createProgress = (total: number | undefined, log: Logger, { now }: Timing) => {
  let lastTime = now();
  let lastTenth = 0;
  return (written: number): void => {
    const time = now();
    const tenth = total === undefined || total === 0 ? 0 : Math.floor((10 * written) / total);
    // small models are there before anyone could read of them
    const due = time - lastTime >= PROGRESS_MS || (tenth > lastTenth && time - lastTime >= 500);
    if (!due) return;
    lastTime = time;
    lastTenth = tenth;
    log.info(
      `${formatBytes(written)}${total === undefined ? "" : ` of ${formatBytes(total)} (${Math.floor((100 * written) / total)} %)`}`,
    );
  };
};
