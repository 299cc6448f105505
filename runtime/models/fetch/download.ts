import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { formatBytes } from "../../../contract/bytes.ts";
import type { FetchProgress } from "../../../contract/pod.ts";
import { Failure } from "../../errors/termination.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { diskFull, isNoSpace } from "./disk.ts";
import { type Opened, type Resume, type Source, TransientFailure } from "./source.ts";

export type Timing = { now(): number; sleep(ms: number): Promise<void>; random(): number };

const ATTEMPTS = 5;
const PROGRESS_MS = 5000;

/** A server may ask for a longer wait; a pod that starts does not have it. */
const MOST_WAIT_MS = 120_000;

export type Downloaded = { hex: string; bytes: number };
/** `room`: the most bytes that may be written; `check` throws on bytes that are not expected; `isExpecting`: it does on some. */
export type Target = {
  file: FileHandle;
  room: number;
  isExpecting: boolean;
  check(downloaded: Downloaded): void;
};

type State = {
  readonly source: Source;
  readonly target: Target;
  readonly log: Logger;
  readonly timing: Timing;
  readonly observe: (progress: FetchProgress) => void;
  /** Of what is written, in bytes. */
  hash: Hash;
  written: number;
  known: { validator: string | undefined; total: number | undefined };
};

/**
 * Writes a model to `file` and gives its digest and size. What fails for a passing reason is tried again, from where it
 * stopped if the source can prove that the bytes are still the same.
 */
export const download = async (
  source: Source,
  target: Target,
  log: Logger,
  timing: Timing,
  observe: (progress: FetchProgress) => void = () => undefined,
): Promise<Downloaded> => {
  const state: State = {
    ...{ source, target, log, timing, observe },
    hash: createHash("sha256"),
    written: 0,
    known: { validator: undefined, total: undefined },
  };
  for (let tried = 1; ; tried++) {
    try {
      const downloaded = await attempt(state);
      await target.file.sync();
      return downloaded;
    } catch (error) {
      if (isNoSpace(error)) throw diskFull(undefined, state.written);
      if (!(error instanceof TransientFailure)) throw error;
      if (tried >= ATTEMPTS) throw giveUp(error);
      const delayMs = delayOf(tried, error, timing.random());
      log.warn(`${error.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
      await timing.sleep(delayMs);
    }
  }
};

const attempt = async (state: State): Promise<Downloaded> => {
  const { log, observe, timing } = state;
  const opened = await state.source(resumeOf(state));
  await refuseOpened(opened, state.target);
  await begin(state, opened);
  const { total } = opened;
  const progress = createProgress(total, log, timing);
  const begun = timing.now();
  const had = state.written;
  for await (const chunk of wholeOf(opened, () => state.written)) {
    await take(state, chunk, total);
    progress(state.written);
    observe({
      bytes: state.written,
      ...(total === undefined ? {} : { total }),
      seconds: secondsFor(state.written, had, timing.now() - begun),
    });
  }
  return ended(state, opened);
};

const resumeOf = ({ known: { total, validator }, written }: State): Resume | undefined =>
  written > 0 && validator !== undefined ? { offset: written, validator, total } : undefined;

const begin = async (state: State, { again, offset, total, validator }: Opened): Promise<void> => {
  const { log, target } = state;
  if (offset > 0) {
    log.info(`resuming at ${formatBytes(state.written)}`);
    state.known = { validator: state.known.validator, total };
    return;
  }
  if (again !== undefined) log.warn(`starting again from the first byte: ${again}`);
  await target.file.truncate(0);
  state.hash = createHash("sha256");
  state.written = 0;
  state.known = { validator, total };
};

const take = async (state: State, chunk: Uint8Array, total: number | undefined): Promise<void> => {
  const { file, room } = state.target;
  // '<' begins web pages and XML errors, and no ONNX model
  if (state.written === 0 && chunk[0] === 0x3c) {
    throw new Failure(
      "ModelInvalid",
      "the URI leads to a web page or an XML document, not to a model; check spec.model.uri",
    );
  }
  if (state.written + chunk.length > room) throw diskFull(total, room);
  await writeAll(file, chunk, state.written);
  state.hash.update(chunk);
  state.written += chunk.length;
};

const ended = ({ hash, target, written }: State, { hasEnd, shown, total }: Opened): Downloaded => {
  if (total !== undefined && written !== total)
    throw new TransientFailure(`the connection ended after ${formatBytes(written)} of ${formatBytes(total)}`);
  if (written === 0 && hasEnd) throw empty(shown);
  const downloaded = { hex: hash.copy().digest("hex"), bytes: written };
  try {
    target.check(downloaded);
  } catch (error) {
    // bytes that are wrong stay so; those of a connection that broke come again
    if (hasEnd || !(error instanceof Failure)) throw error;
    throw new Doubtful(error, shown);
  }
  return downloaded;
};

/** A server that closes its connection behind the last byte, unannounced, is heard to break it: of a known size nothing is missing. */
async function* wholeOf({ body, total }: Opened, written: () => number): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    if (!(error instanceof TransientFailure) || written() !== total) throw error;
  }
}

/** Bytes that are not those expected, of a server that does not tell a whole model from one that was cut off. */
class Doubtful extends TransientFailure {
  readonly failure: Failure;
  constructor(failure: Failure, shown: string) {
    super(`${failure.message}. ${noEnd(shown)}`);
    this.failure = failure;
  }
}

const noEnd = (shown: string): string =>
  `${shown} sends neither content-length nor chunks, so a truncated model would look complete`;

const empty = (shown: string): Failure =>
  new Failure("ModelInvalid", `${shown} is empty: it has 0 bytes; put the model there, or check spec.model.uri`);

/** Before anything of it is read. */
const refuseOpened = async (
  { discard, hasEnd, shown, total }: Opened,
  { isExpecting, room }: Target,
): Promise<void> => {
  const failure =
    total !== undefined && total > room
      ? diskFull(total, room)
      : total === 0
        ? empty(shown)
        : hasEnd || isExpecting
          ? undefined
          : new Failure(
              "ModelUriInvalid",
              `${noEnd(shown)}; set spec.model.sha256, or serve the model with content-length`,
            );
  if (failure === undefined) return;
  await discard();
  throw failure;
};

/** 0.5, 1, 2, 4 s, each between a half and the whole of it; longer where the server asks for that. */
const delayOf = (tried: number, { retryAfterMs = 0 }: TransientFailure, random: number): number =>
  Math.max(500 * 2 ** (tried - 1) * (0.5 + random / 2), Math.min(retryAfterMs, MOST_WAIT_MS));

const giveUp = (error: TransientFailure): Failure =>
  new Failure(error instanceof Doubtful ? error.failure.code : error.code, `${error.message}; tried ${ATTEMPTS} times`);

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
