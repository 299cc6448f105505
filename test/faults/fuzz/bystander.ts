/** A client that does no harm, over HTTP/1.1 and gRPC, on connections that it keeps: each answer must be its own. */
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import type { ClientHttp2Session } from "node:http2";
import { callOnce, grpcSession } from "../server/http2.ts";

export type Asks = {
  path: string;
  /** A request that is told apart from others by its number, and what must come back. */
  http(number: number): { body: Buffer; isRight(answer: Buffer): boolean };
  method: string;
  grpc(number: number): { message: Buffer; isRight(answer: Buffer): boolean };
};

const post = (port: number, path: string, body: Buffer, agent: Agent): Promise<{ status: number; answer: Buffer }> =>
  new Promise((resolve, reject) => {
    const sent = request({ ...{ port, path, agent }, host: "127.0.0.1", method: "POST" }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.once("error", reject);
      answer.once("end", () => resolve({ status: answer.statusCode ?? 0, answer: Buffer.concat(pieces) }));
    });
    sent.once("error", reject).end(body);
  });

/** Once more on another connection, as clients do, where a connection or a stream was ended. */
const twice = async <T>(ask: () => Promise<T>, anew: () => void): Promise<T> => {
  try {
    return await ask();
  } catch {
    anew();
    return await ask();
  }
};

export const createBystander = (ports: { http: number; grpc: number }, asks: Asks) => {
  let agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let session: ClientHttp2Session | undefined;
  const overHttp = async (number: number): Promise<void> => {
    const { body, isRight } = asks.http(number);
    const { answer, status } = await twice(
      () => post(ports.http, asks.path, body, agent),
      () => {
        agent.destroy();
        agent = new Agent({ keepAlive: true, maxSockets: 1 });
      },
    );
    assert.equal(status, 200, `the bystander over HTTP: ${answer.toString("latin1", 0, 500)}`);
    assert.ok(isRight(answer), `the bystander over HTTP has another's answer: ${answer.toString("latin1", 0, 500)}`);
  };
  const overGrpc = async (number: number): Promise<void> => {
    const { isRight, message } = asks.grpc(number);
    const answered = await twice(
      async () => {
        if (session === undefined || session.closed || session.destroyed)
          session = await grpcSession(`127.0.0.1:${ports.grpc}`);
        return callOnce(session, asks.method, message);
      },
      () => {
        session?.destroy();
        session = undefined;
      },
    );
    assert.equal(answered.status, 0, `the bystander over gRPC: ${answered.message}`);
    assert.ok(
      isRight(answered.answer),
      `the bystander over gRPC has another's answer: ${answered.answer.toString("hex")}`,
    );
  };
  return {
    async asks(number: number): Promise<void> {
      await Promise.all([overHttp(number), overGrpc(number)]);
    },
    close(): void {
      agent.destroy();
      session?.destroy();
    },
  };
};
