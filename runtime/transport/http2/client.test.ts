import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  CALL,
  type Connected,
  connectClient,
  type Heard,
  headerBlock,
  type Told,
  told,
  turn,
} from "../../../test/world/http2-server.ts";
import { frame } from "../../../test/world/made-up-http2.ts";
import { until } from "../../../test/world/patience.ts";
import type { Call } from "./client-types.ts";
import * as http2 from "./protocol.ts";

const END = http2.END_HEADERS | http2.END_STREAM;
const OK = headerBlock([":status", "200"], ["x", "y"]);
const TRAILERS = headerBlock(["grpc-status", "0"]);

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const setting = (name: number, value: number): Buffer => Buffer.concat([Buffer.of(0, name), number(value)]);
const settings = (...values: Buffer[]): Buffer => frame(http2.SETTINGS, 0, 0, Buffer.concat(values));
const head = (id: number): Buffer => frame(http2.HEADERS, http2.END_HEADERS, id, OK);
const data = (id: number, text: string, flags = 0): Buffer => frame(http2.DATA, flags, id, Buffer.from(text));
const trailers = (id: number): Buffer => frame(http2.HEADERS, END, id, TRAILERS);
const goAway = (last: number, code: number, reason = ""): Buffer =>
  frame(http2.GOAWAY, 0, 0, Buffer.concat([number(last), number(code), Buffer.from(reason)]));

const ask = ({ client }: Connected, one: Told = told()): Call & Told => {
  const call = client.call(CALL, one.events);
  assert.ok(call !== undefined);
  return { ...call, ...one };
};
/** A connection whose server has said its settings, with so many calls that have begun. */
const begun = async (t: TestContext, count = 1, ...values: Buffer[]) => {
  const connected = await connectClient(t);
  connected.client.read(settings(...values));
  const calls = Array.from({ length: count }, () => ask(connected));
  await turn();
  return { ...connected, calls };
};
const of = (heard: readonly Heard[], type: number, stream?: number): Heard[] =>
  heard.filter((one) => one.type === type && (stream === undefined || one.stream === stream));
const codesOf = (heard: readonly Heard[], stream: number): number[] =>
  of(heard, http2.RST_STREAM, stream).map(({ payload }) => payload.readUInt32BE());
const sentOn = (heard: readonly Heard[], stream: number): string =>
  of(heard, http2.DATA, stream)
    .map(({ payload }) => payload.toString())
    .join("");

test("a connection begins with the preface and settings that want no pushes, and acknowledges the server's", async (t) => {
  const { all, client, heard } = await connectClient(t);
  client.read(settings(setting(3, 5)));
  await until("the acknowledgement", () => of(heard(), http2.SETTINGS).length === 2);
  assert.equal(all().toString("latin1", 0, 24), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  const [own, ack] = of(heard(), http2.SETTINGS);
  assert.deepEqual(own?.payload, Buffer.concat([setting(2, 0), setting(4, 1024 ** 2), setting(6, 16_384)]));
  assert.deepEqual([ack?.flags, ack?.payload.length], [http2.ACK, 0]);
});

test("a call is its header, body and end, and its answer header, body and trailers", async (t) => {
  const { calls, client, happened, heard } = await begun(t);
  const [call] = calls;
  assert.equal(call?.write(Buffer.from("he")), true);
  call?.write(Buffer.from("llo"));
  call?.end();
  await until("the end", () => of(heard(), http2.DATA).some(({ flags }) => flags === http2.END_STREAM));
  assert.equal(sentOn(heard(), 1), "hello");
  assert.equal(of(heard(), http2.HEADERS)[0]?.flags, http2.END_HEADERS);
  assert.equal(client.read(Buffer.concat([head(1), data(1, "wor"), data(1, "ld"), trailers(1)])), true);
  assert.deepEqual(call?.log, ["begun", "head 200 x=y", "data world", "end grpc-status=0"]);
  assert.deepEqual([happened, client.calls()], [["idle"], 0]);
});

test("an answer may be its header alone, end with its data, or have interim answers before it", async (t) => {
  const { calls, client } = await begun(t, 3);
  const interim = frame(http2.HEADERS, http2.END_HEADERS, 5, headerBlock([":status", "103"], ["link", "x"]));
  client.read(frame(http2.HEADERS, END, 1, OK));
  client.read(Buffer.concat([head(3), data(3, "x", http2.END_STREAM)]));
  client.read(Buffer.concat([interim, interim, frame(http2.HEADERS, END, 5, OK)]));
  assert.deepEqual(calls[0]?.log, ["begun", "head 200 x=y (ended)", "end"]);
  assert.deepEqual(calls[1]?.log, ["begun", "head 200 x=y", "data x", "end"]);
  assert.deepEqual(calls[2]?.log, ["begun", "head 200 x=y (ended)", "end"]);
});

test("headers may be padded, have a priority, and go on in CONTINUATION; data may be padded", async (t) => {
  const { calls, client } = await begun(t);
  const flags = http2.PADDED | http2.WITH_PRIORITY;
  const first = Buffer.concat([Buffer.of(3), number(0), Buffer.of(0), OK.subarray(0, 5), Buffer.alloc(3)]);
  client.read(
    Buffer.concat([
      frame(http2.HEADERS, flags, 1, first),
      frame(http2.CONTINUATION, 0, 1, OK.subarray(5, 9)),
      frame(http2.CONTINUATION, http2.END_HEADERS, 1, OK.subarray(9)),
      frame(http2.DATA, http2.PADDED | http2.END_STREAM, 1, Buffer.from("\u0002hi\0\0")),
    ]),
  );
  assert.deepEqual(calls[0]?.log, ["begun", "head 200 x=y", "data hi", "end"]);
});

test("no more calls begin than the server takes; the others wait for their turn", async (t) => {
  const { client, calls, heard } = await begun(t, 3, setting(3, 2));
  assert.equal(client.isOpen(), false);
  assert.deepEqual(
    calls.map(({ log }) => log),
    [["begun"], ["begun"], []],
  );
  client.read(Buffer.concat([head(3), trailers(3)]));
  await turn();
  assert.deepEqual(calls[2]?.log, ["begun"]);
  await until("three headers", () => of(heard(), http2.HEADERS).length === 3);
  client.read(settings(setting(3, 3)));
  assert.equal(client.isOpen(), true);
});

test("before the server has said how many it takes, one is sent, and as many wait as were agreed on", async (t) => {
  const said: number[] = [];
  const connected = await connectClient(t, { mostCalls: 2, settled: (most) => void said.push(most) });
  const calls = [ask(connected)];
  assert.equal(connected.client.isOpen(), true);
  calls.push(ask(connected), ask(connected));
  assert.equal(connected.client.isOpen(), false);
  await turn();
  assert.deepEqual(
    calls.map(({ log }) => log),
    [["begun"], [], []],
  );
  connected.client.read(settings());
  await turn();
  assert.deepEqual(calls[2]?.log, ["begun"], "a server that names no number takes any");
  assert.deepEqual(said, [Number.POSITIVE_INFINITY]);
});

test("a body goes out as the server's windows let it, and who writes it is told to wait", async (t) => {
  const { calls, client, heard } = await begun(t, 2, setting(4, 10));
  const [one, other] = calls;
  assert.equal(one?.write(Buffer.from("0123456789abcdef")), true);
  one?.end();
  await until("the window's worth", () => sentOn(heard(), 1) === "0123456789");
  client.read(frame(http2.WINDOW_UPDATE, 0, 1, number(2)));
  await until("2 bytes more", () => sentOn(heard(), 1) === "0123456789ab");
  client.read(settings(setting(4, 20)));
  await until("the rest", () => of(heard(), http2.DATA, 1).some(({ flags }) => flags === http2.END_STREAM));
  assert.equal(sentOn(heard(), 1), "0123456789abcdef");
  assert.equal(other?.write(Buffer.alloc(100_000)), false);
  assert.equal(other?.log.includes("drained"), false);
  client.read(frame(http2.WINDOW_UPDATE, 0, 3, number(200_000)));
  client.read(frame(http2.WINDOW_UPDATE, 0, 0, number(200_000)));
  assert.equal(other?.log.at(-1), "drained");
});

test("what a paused call is sent waits, and gives nothing back, until it is resumed", async (t) => {
  const { calls, client, heard } = await begun(t, 2);
  const [call, other] = calls;
  client.read(head(1));
  call?.pause();
  // the same place is read to again and again
  const room = Buffer.alloc(20_000);
  const say = (bytes: Buffer): boolean => {
    room.fill(0xff);
    return client.read(room.subarray(0, bytes.copy(room)));
  };
  for (let i = 0; i < 40; i++) assert.equal(say(data(1, String(i % 10).repeat(16_000))), true);
  for (let i = 0; i < 1000; i++) say(data(1, "x"));
  say(Buffer.concat([head(3), data(3, "y"), trailers(3), trailers(1)]));
  await turn();
  assert.deepEqual(call?.log, ["begun", "head 200 x=y"]);
  assert.deepEqual(other?.log.at(-1), "end grpc-status=0", "others go on");
  assert.equal(of(heard(), http2.WINDOW_UPDATE, 1).length, 0);
  call?.resume();
  await turn();
  const whole = Array.from({ length: 40 }, (_, i) => String(i % 10).repeat(16_000)).join("") + "x".repeat(1000);
  assert.equal(call?.log[2] === `data ${whole}`, true);
  assert.deepEqual(call?.log.slice(3), ["end grpc-status=0"]);
});

test("what is taken is given back, of the call and of the connection", async (t) => {
  const { calls, client, heard } = await begun(t);
  client.read(head(1));
  const part = data(1, "z".repeat(16_384));
  for (let i = 0; i < 320; i++) client.read(part);
  await until("4 MiB of the connection", () => of(heard(), http2.WINDOW_UPDATE, 0).length === 2);
  assert.equal(of(heard(), http2.WINDOW_UPDATE, 1).length, 20, "256 KiB each");
  assert.equal(calls[0]?.log.length, 3);
});

test("what was read is to stay where it is as long as somebody needs it", async (t) => {
  const connected = await connectClient(t);
  let isTaken = false;
  connected.client.read(settings());
  const slow = ask(
    connected,
    told(() => isTaken),
  );
  const quick = ask(connected);
  await turn();
  const { client } = connected;
  client.read(Buffer.concat([head(1), head(3)]));
  assert.equal(client.read(data(3, "x")), true);
  assert.equal(client.read(Buffer.concat([data(3, "x"), data(1, "x")])), false);
  isTaken = true;
  assert.equal(client.read(data(1, "x")), true);
  quick.abort();
  assert.equal(client.read(data(3, "late")), true);
  assert.equal(slow.log.at(-1), "data xx");
});

test("a call that the server has not begun with is told from one that it may have", async (t) => {
  const { calls, client } = await begun(t, 4);
  const reset = (id: number, code: number): Buffer => frame(http2.RST_STREAM, 0, id, number(code));
  client.read(Buffer.concat([reset(1, http2.REFUSED_STREAM), reset(3, http2.CANCEL), reset(5, http2.NO_ERROR)]));
  client.read(Buffer.concat([head(7), reset(7, http2.REFUSED_STREAM)]));
  assert.deepEqual(
    calls.map(({ log }) => log.at(-1)),
    [
      "unseen: it has ended the call with code 7",
      "broken: it has ended the call with code 8",
      "broken: it has ended the call with code 0",
      "broken: it has ended the call with code 7",
    ],
  );
});

test("a server that leaves is sent no more; what it has begun with goes on, and then the connection ends", async (t) => {
  const connected = await begun(t, 2);
  const { calls, client, happened, heard } = connected;
  await until("two headers", () => of(heard(), http2.HEADERS).length === 2);
  const waiting = ask(connected);
  client.read(goAway(1, http2.NO_ERROR));
  await turn();
  assert.equal(calls[1]?.log.at(-1), "unseen: it takes no more calls");
  assert.deepEqual(waiting.log, ["unseen: it takes no more calls"], "it was never sent");
  assert.equal(of(heard(), http2.HEADERS).length, 2);
  assert.equal(client.isOpen(), false);
  client.read(Buffer.concat([head(1), trailers(1)]));
  assert.equal(calls[0]?.log.at(-1), "end grpc-status=0");
  await until("the end", () => happened.includes("closed"));
});

test("a server that ends the connection with an error says why", async (t) => {
  const { calls, client, happened } = await begun(t, 2);
  client.read(goAway(1, http2.ENHANCE_YOUR_CALM, "too_many_pings\u0007"));
  assert.equal(calls[0]?.log.at(-1), "broken: it has ended with code 11 (too_many_pings?)");
  assert.equal(calls[1]?.log.at(-1), "unseen: it has ended with code 11 (too_many_pings?)");
  await until("the end", () => happened.includes("closed"));
});

test("pings are answered, and answers to ours are told", async (t) => {
  const { client, happened, heard } = await begun(t, 0);
  client.read(frame(http2.PING, 0, 0, Buffer.from("12345678")));
  client.ping();
  await until("both", () => of(heard(), http2.PING).length === 2);
  const [answer, own] = of(heard(), http2.PING);
  assert.deepEqual([answer?.flags, answer?.payload.toString(), own?.flags], [http2.ACK, "12345678", 0]);
  client.read(frame(http2.PING, http2.ACK, 0, own?.payload));
  assert.deepEqual(happened, ["pong"]);
});

test("an answer that is none ends its call alone, with the reason", async (t) => {
  const block = (...fields: [string, string][]): Buffer =>
    frame(http2.HEADERS, http2.END_HEADERS, 1, headerBlock(...fields));
  const cases: [RegExp, number, ...Buffer[]][] = [
    [/does not begin with :status/, http2.PROTOCOL_ERROR, block(["x", "y"])],
    [/does not begin with :status/, http2.PROTOCOL_ERROR, block(["x", "y"], [":status", "200"])],
    [/:status that HTTP\/2 does not have/, http2.PROTOCOL_ERROR, block([":status", "99"])],
    [/:status that HTTP\/2 does not have/, http2.PROTOCOL_ERROR, block([":status", "101"])],
    [/does not allow/, http2.PROTOCOL_ERROR, block([":status", "200"], [":path", "/"])],
    [/does not allow/, http2.PROTOCOL_ERROR, block([":status", "200"], ["connection", "close"])],
    [/does not allow/, http2.PROTOCOL_ERROR, block([":status", "200"], ["X", "y"])],
    [/does not allow/, http2.PROTOCOL_ERROR, block([":status", "200"], ["x", "a\nb"])],
    [/content-length that is none/, http2.PROTOCOL_ERROR, block([":status", "200"], ["content-length", "-1"])],
    [/body before its header/, http2.PROTOCOL_ERROR, data(1, "x")],
    [/interim answer is its last/, http2.PROTOCOL_ERROR, frame(http2.HEADERS, END, 1, headerBlock([":status", "100"]))],
    [/no trailers/, http2.PROTOCOL_ERROR, head(1), frame(http2.HEADERS, END, 1, headerBlock([":status", "200"]))],
    [/no trailers/, http2.PROTOCOL_ERROR, head(1), frame(http2.HEADERS, http2.END_HEADERS, 1, TRAILERS)],
    [
      /not as long as its content-length/,
      http2.PROTOCOL_ERROR,
      block([":status", "200"], ["content-length", "3"]),
      data(1, "x", http2.END_STREAM),
    ],
    [
      /more than 100 fields/,
      http2.PROTOCOL_ERROR,
      block([":status", "200"], ...Array.from({ length: 101 }, (): [string, string] => ["x", "y"])),
    ],
    [
      /too large/,
      http2.ENHANCE_YOUR_CALM,
      block([":status", "200"], ["x", "y".repeat(16_000)], ["x", "y".repeat(300)]),
    ],
    [
      /more than what it may send at once/,
      http2.FLOW_CONTROL_ERROR,
      head(1),
      ...Array<Buffer>(64).fill(data(1, "z".repeat(16_384))),
      data(1, "z"),
    ],
    [/WINDOW_UPDATE by 0/, http2.PROTOCOL_ERROR, frame(http2.WINDOW_UPDATE, 0, 1, number(0))],
    [/2\^31-1/, http2.FLOW_CONTROL_ERROR, frame(http2.WINDOW_UPDATE, 0, 1, number(2 ** 31 - 1))],
  ];
  for (const [reason, code, ...frames] of cases) {
    const { calls, client, heard, socket } = await begun(t, 2);
    const [bad, good] = calls;
    // of a call that takes what it is sent, the window would open again
    if (code === http2.FLOW_CONTROL_ERROR) bad?.pause();
    client.read(Buffer.concat([...frames, head(3), trailers(3)]));
    assert.match(bad?.log.at(-1) ?? "", reason);
    assert.match(bad?.log.at(-1) ?? "", /^broken: /);
    assert.equal(good?.log.at(-1), "end grpc-status=0");
    await until("the reset", () => codesOf(heard(), 1).length > 0);
    assert.deepEqual(codesOf(heard(), 1), [code]);
    socket.destroy();
  }
});

test("what breaks the rules ends the connection and its calls, with one reason", async (t) => {
  const cases: [RegExp, ...Buffer[]][] = [
    [/first frame is not SETTINGS/, data(1, "x")],
    [/more than 16384 bytes/, Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
    [/not open/, settings(), data(5, "x")],
    [/not open/, settings(), head(5)],
    [/not open/, settings(), head(2)],
    [/not open/, settings(), frame(http2.RST_STREAM, 0, 5, number(0))],
    [/settings forbid/, settings(), frame(http2.PUSH_PROMISE, http2.END_HEADERS, 1, Buffer.concat([number(2), OK]))],
    [/damaged/, settings(), frame(http2.HEADERS, http2.END_HEADERS, 1, Buffer.from([0xff, 0xff, 0xff]))],
    [/interrupted/, settings(), frame(http2.HEADERS, 0, 1, OK), data(1, "x")],
    [/CONTINUATION without HEADERS/, settings(), frame(http2.CONTINUATION, http2.END_HEADERS, 1, OK)],
    [/padding/, settings(), head(1), frame(http2.DATA, http2.PADDED, 1, Buffer.from([9, 1]))],
    [/too large/, settings(), frame(http2.HEADERS, 0, 1, OK), ...Array<Buffer>(99).fill(frame(9, 0, 1))],
    [/move nothing/, settings(), ...Array<Buffer>(12_000).fill(frame(http2.PING, 0, 0, Buffer.alloc(8)))],
    [/move nothing/, settings(), head(1), ...Array<Buffer>(12_000).fill(data(1, ""))],
    [/move nothing/, ...Array<Buffer>(12_000).fill(settings())],
    [/WINDOW_UPDATE by 0/, settings(), frame(http2.WINDOW_UPDATE, 0, 0, number(0))],
    [/2\^31-1/, settings(), frame(http2.WINDOW_UPDATE, 0, 0, number(2 ** 31 - 1))],
    [/INITIAL_WINDOW_SIZE/, settings(setting(4, 2 ** 31))],
  ];
  for (const [reason, ...frames] of cases) {
    const connected = await connectClient(t);
    const { client, heard, isHeardOut } = connected;
    const [one, other] = [ask(connected), ask(connected)];
    await turn();
    client.read(Buffer.concat(frames));
    for (const { log } of [one, other]) assert.match(log.at(-1) ?? "", reason);
    assert.match(one.log.at(-1) ?? "", /^broken: it does not keep to HTTP\/2: /);
    assert.match(other.log.join(), /^unseen: /, "it was never sent");
    assert.equal(client.isOpen(), false);
    await until("the end", isHeardOut);
    const [last] = of(heard(), http2.GOAWAY);
    assert.match(last?.payload.toString("latin1", 8) ?? "", reason);
  }
});

test("data on their way to a call that was taken back harm nobody, and count for the connection", async (t) => {
  const { calls, client, heard } = await begun(t, 2);
  const [left, other] = calls;
  client.read(head(1));
  left?.abort();
  for (let i = 0; i < 60; i++) client.read(data(1, "z".repeat(16_384)));
  client.read(Buffer.concat([trailers(1), head(3), data(3, "x", http2.END_STREAM)]));
  assert.deepEqual(left?.log, ["begun", "head 200 x=y"]);
  assert.equal(other?.log.at(-1), "end");
  await until("the reset", () => codesOf(heard(), 1).length === 1);
  assert.deepEqual(codesOf(heard(), 1), [http2.CANCEL]);
});

test("a call that is answered before its body is whole needs the rest no more", async (t) => {
  const { calls, client, heard } = await begun(t, 1, setting(4, 5));
  const [call] = calls;
  call?.write(Buffer.from("0123456789"));
  client.read(Buffer.concat([head(1), trailers(1)]));
  assert.equal(call?.log.at(-1), "end grpc-status=0");
  client.read(frame(http2.WINDOW_UPDATE, 0, 1, number(100)));
  await until("the reset", () => codesOf(heard(), 1).length === 1);
  assert.equal(sentOn(heard(), 1), "01234");
});

test("blanks around a value mean nothing", async (t) => {
  const { calls, client } = await begun(t);
  client.read(frame(http2.HEADERS, END, 1, headerBlock([":status", "200"], ["x", " a b\t"])));
  assert.deepEqual(calls[0]?.log, ["begun", "head 200 x=a b (ended)", "end"]);
});

test("a header that is larger than the server says it takes is not sent", async (t) => {
  const { client, heard } = await begun(t, 1, setting(6, 300));
  assert.equal(client.call([...CALL, ["x", "y".repeat(200)]], told().events), undefined);
  assert.notEqual(client.call([...CALL, ["x", "y"]], told().events), undefined);
  await until("two headers", () => of(heard(), http2.HEADERS).length === 2);
});

test("a server with a table of nothing gets headers that use none", async (t) => {
  const { client, heard } = await begun(t, 1, setting(1, 0));
  client.call([...CALL], told().events);
  await until("two headers", () => of(heard(), http2.HEADERS).length === 2);
  const [first, second] = of(heard(), http2.HEADERS);
  assert.equal(first?.payload[0], 32, "the table is emptied first");
  assert.equal(second?.payload.includes("trailers"), true);
});

test("a server that closes the connection fails its calls; one that was never sent is told apart", async (t) => {
  const { calls, hangUp, happened } = await begun(t, 2, setting(3, 1));
  hangUp();
  await until("the end", () => happened.includes("closed"));
  assert.deepEqual(calls[0]?.log, ["begun", "broken: it has closed the connection"]);
  assert.deepEqual(calls[1]?.log, ["unseen: it has closed the connection"]);
});
