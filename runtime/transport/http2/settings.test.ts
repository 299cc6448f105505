import assert from "node:assert/strict";
import { test } from "node:test";
import { HEAD_BYTES } from "./frames.ts";
import { FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PROTOCOL_ERROR } from "./protocol.ts";
import { defaultPeerSettings, readSettings, writeSettings } from "./settings.ts";

const setting = (name: number, value: number): Buffer => {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(name);
  bytes.writeUInt32BE(value, 2);
  return bytes;
};

test("the other side's settings are taken over, the last of each, and unknown ones are ignored", () => {
  const settings = defaultPeerSettings();
  const payload = Buffer.concat([
    ...[setting(1, 0), setting(4, 5), setting(4, 6), setting(5, 20_000), setting(3, 7), setting(6, 8)],
    setting(999, 1),
  ]);
  assert.equal(readSettings(payload, settings), undefined);
  const told = { headerTableBytes: 0, initialWindow: 6, frameBytes: 20_000 };
  assert.deepEqual(settings, { ...told, concurrentStreams: 7, headerListBytes: 8 });
});

test("values out of their bounds have RFC 9113's codes", () => {
  const codeOf = (payload: Buffer) => readSettings(payload, defaultPeerSettings())?.code;
  assert.equal(codeOf(setting(2, 2)), PROTOCOL_ERROR);
  assert.equal(codeOf(setting(4, 2 ** 31)), FLOW_CONTROL_ERROR);
  assert.equal(codeOf(setting(5, 16_383)), PROTOCOL_ERROR);
  assert.equal(codeOf(setting(5, 2 ** 24)), PROTOCOL_ERROR);
  assert.equal(codeOf(Buffer.alloc(5)), FRAME_SIZE_ERROR);
});

test("ours say how many streams, how much of each, and how long headers", () => {
  const frame = writeSettings({ concurrentStreams: 7, window: 8, headerListBytes: 9 });
  assert.deepEqual(frame.subarray(HEAD_BYTES), Buffer.concat([setting(3, 7), setting(4, 8), setting(6, 9)]));
  const client = writeSettings({ push: false, window: 8, headerListBytes: 9 });
  assert.deepEqual(client.subarray(HEAD_BYTES), Buffer.concat([setting(2, 0), setting(4, 8), setting(6, 9)]));
});

test("the bounds themselves are allowed", () => {
  const settings = defaultPeerSettings();
  const payload = Buffer.concat([setting(2, 0), setting(2, 1), setting(4, 2 ** 31 - 1), setting(5, 2 ** 24 - 1)]);
  assert.equal(readSettings(payload, settings), undefined);
  assert.deepEqual([settings.initialWindow, settings.frameBytes], [2 ** 31 - 1, 2 ** 24 - 1]);
  assert.equal(readSettings(setting(5, 16_384), settings), undefined);
  assert.equal(readSettings(Buffer.alloc(0), settings), undefined);
  assert.equal(settings.frameBytes, 16_384);
});
