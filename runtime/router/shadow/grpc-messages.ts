/** The messages of a gRPC call: each has a prefix of five bytes, whether it is compressed and how long it is. Pure. */

const PREFIX_BYTES = 5;
/** Each costs an object of its own. */
const MOST_MESSAGES = 1024;

/** @throws Error where `bytes` are not whole messages */
export const splitMessages = (bytes: Buffer): { compressed: boolean; message: Buffer }[] => {
  const messages: { compressed: boolean; message: Buffer }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const flag = bytes[at] ?? 0;
    const length = at + PREFIX_BYTES > bytes.length ? Number.POSITIVE_INFINITY : bytes.readUInt32BE(at + 1);
    const from = at + PREFIX_BYTES;
    if (flag > 1 || from + length > bytes.length) throw new Error("it is not one or more whole messages");
    if (messages.length === MOST_MESSAGES) throw new Error(`it has more than ${MOST_MESSAGES} messages`);
    messages.push({ compressed: flag === 1, message: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return messages;
};
