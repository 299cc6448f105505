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

/**
 * Cuts what a call sends into messages. One that comes in one piece is a view of it; the bytes of others are gathered, and
 * taken from `lease`, which whoever gets the message releases.
 */
export const createMessageReader = (
  maxBytes: number,
  lease: Lease,
  onMessage: (message: Received) => void,
): MessageReader => {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  let have = 0;
  let length = -1;
  let compressed = false;
  let message: Buffer = NONE;
  let filled = 0;

  const begin = (bytes: Buffer, at: number): void => {
    const flag = bytes[at] ?? 0;
    if (flag > 1) throw new CallError(STATUS.INTERNAL, `the message's first byte is ${flag}; 0 and 1 are known`);
    compressed = flag === 1;
    length = bytes.readUInt32BE(at + 1);
    if (length > maxBytes) {
      throw new CallError(
        STATUS.RESOURCE_EXHAUSTED,
        `the message has ${length} bytes, and at most ${maxBytes} are allowed`,
      );
    }
  };

  const gather = (bytes: Buffer): void => {
    const needed = filled + bytes.length;
    if (needed > message.length) {
      const size = Math.min(length, Math.max(needed, message.length * 2, FIRST_BYTES));
      lease.take(size - message.length);
      const larger = Buffer.allocUnsafeSlow(size);
      larger.set(message.subarray(0, filled));
      message = larger;
    }
    message.set(bytes, filled);
    filled = needed;
  };

  return {
    pending: () => have + filled + (length < 0 ? 0 : PREFIX_BYTES),
    held: () => message.length,
    feed: (bytes) => {
      let at = 0;
      while (at < bytes.length || length === 0) {
        if (length < 0) {
          if (have === 0 && bytes.length - at >= PREFIX_BYTES) {
            begin(bytes, at);
            at += PREFIX_BYTES;
          } else {
            const taken = bytes.copy(prefix, have, at, Math.min(bytes.length, at + PREFIX_BYTES - have));
            have += taken;
            at += taken;
            if (have < PREFIX_BYTES) return;
            have = 0;
            begin(prefix, 0);
          }
          continue;
        }
        const end = Math.min(bytes.length, at + length - filled);
        const part = bytes.subarray(at, end);
        at = end;
        const gathered = filled > 0 || part.length < length;
        if (gathered) {
          gather(part);
          if (filled < length) return;
        }
        const whole = gathered ? message : part;
        length = -1;
        filled = 0;
        message = NONE;
        onMessage({ bytes: whole, compressed, gathered });
      }
    },
  };
};
