import assert from "node:assert/strict";
import { test } from "node:test";
import { REASONS } from "../../operator/api/v1alpha1/reasons.ts";
import { messages } from "../generate/messages.ts";
import { chartMessages } from "./chart.ts";
import { type Message, messagesOf } from "./messages.ts";

const messagesIn = (source: string): Message[] => messagesOf({ "sample.ts": source })[0]?.messages ?? [];
const lines = (source: string): string[] => messagesIn(source).map(({ label, text }) => `${label}: ${text}`);

test("a message is found wherever it stands, with its reason or code", () => {
  assert.deepEqual(
    lines(`
      const cause = { reason: "OutOfMemory", message: "the pod needs more memory", stalled: true };
      events.event(object, "Warning", "Moved", "Move", "the model has moved");
      const refuse = () => { throw new Refusal(431, "the header is too large"); };
      const one = (): string => "no pod is ready";
      const other = (why = "nobody knows why") => why;
      const table = { denied: () => "it may not be read" };
      const list = ["no such file", "no such claim"];
      const fields = rules({ rule: "self.a < self.b", message: "spec.a: must not be above spec.b" });
      log.warn({ error }, "the watch failed");
      const either = isOpen ? "the door is open" : "the door is shut";
      const first = why ?? "no reason is given";
    `),
    [
      "OutOfMemory: the pod needs more memory",
      "events.event Warning Moved Move: the model has moved",
      "Refusal 431: the header is too large",
      "one: no pod is ready",
      "other: nobody knows why",
      "table.denied: it may not be read",
      "list: no such file",
      "list: no such claim",
      "rules.message: spec.a: must not be above spec.b",
      "log.warn: the watch failed",
      "either: the door is open",
      "either: the door is shut",
      "first: no reason is given",
    ],
  );
});

/** `#{…}` stands for a placeholder of a template in the samples. */
const filled = (line: string): string => line.replaceAll("#{", "${");

test("what is filled in is shown by its name, what may be missing in brackets", () => {
  assert.deepEqual(
    lines(
      [
        "const message = `pod #{pod.metadata.name} ended#{why === '' ? '' : `: #{why.slice(0, 9)}`}`;",
        "const added = `#{count(pods)} of ` + `#{wanted} #{wanted === 1 ? 'pod' : 'pods'} are ready`;",
        "const nested = `not ready: #{names.map((name) => `pod #{name} waits`).join(', ')}`;",
      ]
        .map(filled)
        .join("\n"),
    ),
    [
      "message: pod {pod} ended[: {why}]",
      "added: {count()} of {wanted} (pod|pods) are ready",
      "nested: not ready: {names}",
      "names.map: pod {name} waits",
    ],
  );
});

test("what a name stands for is shown where the file says it in words, and its name where it is a value", () => {
  assert.deepEqual(
    lines(
      [
        "const answers = (pods) => { if (pods > 0) return 'still serves'; return 'serves no request'; };",
        "const judge = (stable, pods) => { const still = stable === undefined ? '' : `; #{stable.name} #{answers(pods)}`; return failing(pods, still); };",
        "const failing = (pods, still) => `the model failed#{still}`;",
        "const [exist, them] = count === 1 ? ['it exists', 'it'] : ['they exist', 'them'];",
        "const told = `#{exist}; delete #{them}`;",
        "const { why } = cause; const shown = (text) => `not ready: #{why}, #{text}, #{count}`;",
        "const text = 'never meant here';",
      ]
        .map(filled)
        .join("\n"),
    ),
    [
      "answers: still serves",
      "answers: serves no request",
      "still: ; {stable} (still serves|serves no request)",
      "failing: the model failed[; {stable} (still serves|serves no request)]",
      "[exist, them]: it exists",
      "[exist, them]: they exist",
      "told: (it exists|they exist); delete (it|them)",
      "shown: not ready: {why}, {text}, {count}",
      "text: never meant here",
    ],
  );
});

test("a reason or code is found where its message is made elsewhere", () => {
  assert.deepEqual(
    lines(`
      const cause = { reason: "Unschedulable", message, stalled: false };
      const other = { reason: "CrashLooping", message: inWords(pod) };
      events.event(object, "Warning", "ManagedElsewhere", "Reconcile", note);
      throw new Failure("ModelUnreachable", reason);
      throw new RequestError("Overloaded", describe(queue), 1);
      const none = { type, status, message };
    `),
    [
      "Unschedulable: {message}",
      "CrashLooping: {inWords()}",
      "events.event Warning ManagedElsewhere Reconcile: {note}",
      "Failure ModelUnreachable: {reason}",
      "RequestError Overloaded 1: {describe()}",
    ],
  );
});

test("a message of one word is found where nothing but a message can stand", () => {
  assert.deepEqual(lines('const cause = { reason: "NotFound", message: "gone" }; throw new Error("impossible");'), [
    "NotFound: gone",
    "Error: impossible",
  ]);
});

test("what the program compares, imports or looks for is no message, nor is what docs/api.md has", () => {
  assert.deepEqual(
    lines(`
      import { a } from "./a file.ts";
      type Answer = "not yet" | "not ever";
      const isOne = word === "not yet" || text.includes("failed calling webhook");
      switch (word) { case "not ever": break; }
      const field = z.string().meta(rules({ message: "spec.a: must be short" })).describe("What docs/api.md has.");
    `),
    ["rules.message: spec.a: must be short"],
  );
});

test("a rule in CEL, the source of a thread and a list of words are no messages, wherever they stand", () => {
  assert.deepEqual(
    lines(
      [
        "const IS_NVIDIA = \"has(self.vendor) && self.vendor == 'nvidia'\";",
        "const SOURCE = `const { rmSync } = require('node:fs');\\nrmSync(#{directory});`;",
        'const names = "Abs Acos Acosh".split(" ");',
        "const rule = { messageExpression: \"'spec.env: ' + self.name + ' cannot be set; remove it'\" };",
        'const cure = "return the device; it is const from then on";',
      ]
        .map(filled)
        .join("\n"),
    ),
    [
      "rule.messageExpression: 'spec.env: ' + self.name + ' cannot be set; remove it'",
      "cure: return the device; it is const from then on",
    ],
  );
});

test("what the chart refuses is found in its templates", () => {
  const template =
    '{{- fail "a: must be set" -}}\n{{- fail (printf "b: %q is not \\"c\\"" .b) -}}\n{{ include "d" . }}';
  assert.deepEqual(chartMessages({ "templates/a.tpl": template, "templates/b.tpl": "no: messages" }), [
    {
      path: "templates/a.tpl",
      messages: [
        { label: "fail", text: "a: must be set" },
        { label: "fail", text: 'b: %q is not \\"c\\"' },
      ],
    },
  ]);
});

test("the golden files hold every reason, and the messages of events, rules, refusals and command lines", async () => {
  const [operator = "", runtime = ""] = (await messages()).map(({ text }) => text);
  for (const reason of Object.keys(REASONS)) assert.match(operator, new RegExp(`\\.${reason}\\.means: `), reason);
  assert.match(operator, /\n {2}events\.event Normal Promoted Promote: /);
  assert.match(operator, /\n {2}rules\.message: metadata\.name: /);
  assert.match(operator, /\n {2}fail: serviceMonitor\.enabled: /);
  assert.match(runtime, /\n {2}Refusal 414: /);
  assert.match(runtime, /\n {2}Failure ModelNotFound: /);
  assert.match(runtime, /\n {2}SERVE_HELP: /);
});
