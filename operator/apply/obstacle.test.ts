import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { errorFromStatus, errorWithoutAnswer } from "../platform/kube/errors.ts";
import { gathered, othersInWords, refusalIn, worstOf } from "./obstacle.ts";

const answer = (status: number, message: string) => errorFromStatus("create Service a/b", status, { message });
const webhook =
  'Internal error occurred: failed calling webhook "v.kyverno.svc": Post "https://kyverno.svc": dial tcp: refused';
const late = 'Internal error occurred: failed calling webhook "v.kyverno.svc": context deadline exceeded';

const cases: [name: string, error: unknown, expected: "hopeless" | "refused" | "unanswered" | "error"][] = [
  ["a webhook that is down", answer(500, webhook), "refused"],
  ["a webhook that is late", answer(500, late), "refused"],
  [
    "a webhook that denies with a status of its own",
    answer(500, 'admission webhook "a" denied the request: no'),
    "refused",
  ],
  [
    "a webhook that denies as if the object were wrong",
    answer(400, 'admission webhook "a" denied the request'),
    "refused",
  ],
  ["a policy", answer(422, "ValidatingAdmissionPolicy 'a' with binding 'b' denied request: no"), "refused"],
  [
    "a quota that takes too long",
    answer(500, "Internal error occurred: resource quota evaluation timed out"),
    "refused",
  ],
  ["a quota", answer(403, "exceeded quota: q"), "refused"],
  ["a wrong value", answer(422, "spec.replicas: Invalid value"), "hopeless"],
  ["an API server that is unwell", answer(500, "etcdserver: request timed out"), "error"],
  [
    "a webhook that takes longer than we wait",
    errorWithoutAnswer("apply Service a/b", "Timeout", new Error("no answer within 30 s")),
    "unanswered",
  ],
  ["an API server that cannot be reached", errorWithoutAnswer("apply Service a/b", "Unreachable", "reset"), "error"],
  ["a conflict", answer(409, "the object has been modified"), "error"],
  ["a fault of our own", new TypeError("x is not a function"), "error"],
];

describe("what a failed write is", () => {
  for (const [name, error, expected] of cases) {
    it(name, () => {
      const obstacle = refusalIn(error);
      const is =
        obstacle?.kind === "refused" ? (obstacle.isHopeless ? "hopeless" : "refused") : (obstacle?.kind ?? "error");
      assert.equal(is, expected);
    });
  }

  it("names the other writes that are not taken", () => {
    const refused = (write: string) =>
      ({ kind: "refused", message: `${write}: no: never`, isHopeless: false }) as const;
    const late = { kind: "unanswered", message: "apply Service a/z: no answer within 30 s" } as const;
    assert.deepEqual(worstOf([refused("apply Service a/b")]), refused("apply Service a/b"));
    const worst = worstOf([
      late,
      refused("apply Service a/b"),
      refused("apply Service a/b"),
      refused("create Pod a/c"),
    ]);
    assert.deepEqual(worst, { ...refused("apply Service a/b"), others: ["apply Service a/z", "create Pod a/c"] });
    assert.equal(othersInWords(), "");
    assert.equal(othersInWords(["a", "b", "c", "d", "e", "f", "g"]), "; not written either: a, b, c, d, e and 2 more");
  });

  it("names all strangers at once, before anything else", () => {
    const refused = { kind: "refused", message: "no", isHopeless: false } as const;
    const obstacles = gathered([
      refused,
      { kind: "stranger", objects: ["Service a"] },
      { kind: "stranger", objects: ["Deployment a", "Service a"] },
    ]);
    assert.deepEqual(worstOf(obstacles), { kind: "stranger", objects: ["Service a", "Deployment a"] });
    assert.deepEqual(obstacles.slice(1), [refused]);
  });
});
