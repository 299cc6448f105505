import type { Tensor } from "../../tensors/index.ts";

/** Memory that is a part of Node's pool belongs to others, too, and less than this is copied for what it costs to hand over. */
const COPIED_BYTES = 64 * 1024;

/**
 * Makes views fit to be posted to another thread: a view takes all of its memory with it, and posting would copy that. Memory that is
 * the view's own goes over without a copy, and is gone here; of other memory the view's part is copied.
 * @param own whether nobody else needs the memory of the views any more
 */
export const createParcel = (own: boolean) => {
  const list = new Set<ArrayBuffer>();
  const view = (bytes: Uint8Array): Uint8Array => {
    const { buffer } = bytes;
    if (buffer instanceof ArrayBuffer && list.has(buffer))
      return new Uint8Array(buffer, bytes.byteOffset, bytes.length);
    const whole = own && buffer.byteLength > COPIED_BYTES && 2 * bytes.length >= buffer.byteLength;
    const sent = whole ? new Uint8Array(buffer, bytes.byteOffset, bytes.length) : Uint8Array.from(bytes);
    if (sent.buffer instanceof ArrayBuffer && sent.buffer.byteLength > COPIED_BYTES) list.add(sent.buffer);
    return sent;
  };
  const tensors = (all: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
    new Map([...all].map(([name, { datatype, shape, bytes }]) => [name, { datatype, shape, bytes: view(bytes) }]));
  return { view, tensors, list: (): ArrayBuffer[] => [...list] };
};
