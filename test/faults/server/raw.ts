/** Bytes as they are, sent to a port of loopback: for what no HTTP client would send. */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS, tooLate } from "../../world/patience.ts";

export type Raw = {
  socket: Socket;
  /** What has come so far. */
  text(): string;
  /** The server has ended the connection. */
  ended(): boolean;
  /** Resolves when the server has closed. */
  closed(): Promise<string>;
};

export const rawConnection = async (port: number): Promise<Raw> => {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let text = "";
  let ended = false;
  const over = Promise.withResolvers<void>();
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  // A reset is an end too: whether an answer came before it is what the tests look at.
  const end = (): void => {
    ended = true;
    over.resolve();
  };
  socket.on("error", end).on("end", end).on("close", end);
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  return {
    socket,
    text: () => text,
    ended: () => ended,
    async closed() {
      const late = () => over.reject(tooLate("the server closes the connection", text, PATIENCE_MS));
      const timer = setTimeout(late, PATIENCE_MS);
      await over.promise;
      clearTimeout(timer);
      socket.destroy();
      return text;
    },
  };
};

/** Sends `bytes` and, after them, the end of the sending side; resolves to all that came back. */
export const exchange = async (port: number, bytes: string | Uint8Array): Promise<string> => {
  const raw = await rawConnection(port);
  raw.socket.end(bytes);
  return raw.closed();
};

/** The status of the first answer that is not an interim one (1xx); 0 where there is none. */
export const statusOf = (answer: string): number =>
  Number(/^(?:HTTP\/1\.1 1\d\d [^\r]*\r\n\r\n)*HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);

/** Sends `bytes` one at a time, `pauseMs` apart (0: a turn of the event loop). */
export const dribble = async (raw: Raw, bytes: Uint8Array, pauseMs: number): Promise<void> => {
  for (const byte of bytes) {
    if (raw.socket.destroyed) return;
    raw.socket.write(Uint8Array.of(byte));
    await sleep(pauseMs);
  }
};
