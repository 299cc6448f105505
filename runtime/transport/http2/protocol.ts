// Numbers of RFC 9113: types of frames (6), their flags, codes of errors (7) and settings (6.5.2).

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const WITH_PRIORITY = 32;

export const NO_ERROR = 0;
export const PROTOCOL_ERROR = 1;
export const FLOW_CONTROL_ERROR = 3;
export const STREAM_CLOSED = 5;
export const FRAME_SIZE_ERROR = 6;
export const REFUSED_STREAM = 7;
export const CANCEL = 8;
export const COMPRESSION_ERROR = 9;
export const ENHANCE_YOUR_CALM = 11;

/** Without a setting that says otherwise, in bytes. */
export const DEFAULT_WINDOW = 65_535;
/** The longest payload that we take; it is also the least that a client must. */
export const FRAME_BYTES = 16_384;
export const MOST_WINDOW = 2 ** 31 - 1;

/** What is wrong with a connection, or with one stream of it. */
export type Fault = { code: number; reason: string };
