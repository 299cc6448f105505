import type { Lease } from "../../memory/shares.ts";
import { CallError, STATUS } from "./status.ts";

/** gRPC's frame: a byte that says whether the message is compressed, and four of its length. */
export const PREFIX_BYTES = 5;
/** What the first piece of a message gets; what is declared may never come. */
const FIRST_BYTES = 16 * 1024;
const NONE = Buffer.alloc(0);

/** `gathered`: its bytes are its own, and are counted. */
export type Received = { bytes: Buffer; compressed: boolean; gathered: boolean };

export type MessageReader = {
  /** Takes the next bytes of a call. Throws a RequestError or CallError, after which it must not be called again. */
  feed(bytes: Buffer): void;
  /** Bytes of a message that is not whole, its five first ones among them. */
  pending(): number;
  /** What is taken for it. */
  held(): number;
};

type State = {
  readonly maxBytes: number;
  readonly lease: Lease;
  readonly onMessage: (message: Received) => void;
  /** The first bytes of a message, of which `have` have come. */
  readonly prefix: Buffer;
  have: number;
  /** Of the message that comes; below 0 before its prefix has come. */
  length: number;
  compressed: boolean;
  /** Where its bytes are gathered, in `filled` bytes. */
  message: Buffer;
  filled: number;
};

/**
 * Cuts what a call sends into messages. One that comes in one piece is a view of it; the bytes of others are gathered, and
 * taken from `lease`, which whoever gets the message releases.
 */
export const createMessageReader = (
  maxBytes: number,
  lease: Lease,
  onMessage: (message: Received) => void,
): MessageReader => {
  const state: State = {
    maxBytes,
    lease,
    onMessage,
    prefix: Buffer.alloc(PREFIX_BYTES),
    have: 0,
    length: -1,
    compressed: false,
    message: NONE,
    filled: 0,
  };
  return {
    pending: () => state.have + state.filled + (state.length < 0 ? 0 : PREFIX_BYTES),
    held: () => state.message.length,
    feed: (bytes) => feed(state, bytes),
  };
};

const feed = (state: State, bytes: Buffer): void => {
  let at = 0;
  while (at < bytes.length || state.length === 0) {
    if (state.length < 0) {
      at = readPrefix(state, bytes, at);
      continue;
    }
    const { filled, length } = state;
    const end = Math.min(bytes.length, at + length - filled);
    const part = bytes.subarray(at, end);
    at = end;
    const gathered = filled > 0 || part.length < length;
    if (gathered) {
      gather(state, part);
      if (state.filled < length) return;
    }
    const whole = gathered ? state.message : part;
    state.length = -1;
    state.filled = 0;
    state.message = NONE;
    state.onMessage({ bytes: whole, compressed: state.compressed, gathered });
  }
};

/** Reads on from `at`, and returns how far it came. */
const readPrefix = (state: State, bytes: Buffer, at: number): number => {
  if (state.have === 0 && bytes.length - at >= PREFIX_BYTES) {
    begin(state, bytes, at);
    return at + PREFIX_BYTES;
  }
  const taken = bytes.copy(state.prefix, state.have, at, Math.min(bytes.length, at + PREFIX_BYTES - state.have));
  state.have += taken;
  if (state.have === PREFIX_BYTES) {
    state.have = 0;
    begin(state, state.prefix, 0);
  }
  return at + taken;
};

const begin = (state: State, bytes: Buffer, at: number): void => {
  const { maxBytes } = state;
  const flag = bytes[at] ?? 0;
  if (flag > 1) throw new CallError(STATUS.INTERNAL, `the message's first byte is ${flag}; 0 and 1 are known`);
  const length = bytes.readUInt32BE(at + 1);
  state.compressed = flag === 1;
  state.length = length;
  if (length > maxBytes) {
    throw new CallError(
      STATUS.RESOURCE_EXHAUSTED,
      `the message has ${length} bytes, and at most ${maxBytes} are allowed`,
    );
  }
};

const gather = (state: State, bytes: Buffer): void => {
  const { filled, message } = state;
  const needed = filled + bytes.length;
  if (needed > message.length) {
    const size = Math.min(state.length, Math.max(needed, message.length * 2, FIRST_BYTES));
    state.lease.take(size - message.length);
    const larger = Buffer.allocUnsafeSlow(size);
    larger.set(message.subarray(0, filled));
    state.message = larger;
  }
  state.message.set(bytes, filled);
  state.filled = needed;
};
