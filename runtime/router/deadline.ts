/** The time that a client gives its request (`grpc-timeout`): what it has waited here is taken off before a pod hears of it. */
import { timeoutOf } from "../transport/grpc/deadline.ts";
import { firstFieldOf } from "../transport/http/fields.ts";
import type { Message } from "./message.ts";

const FIELD = "grpc-timeout";
/** The longest that a timer of Node takes. */
const MOST_MS = 2 ** 31 - 1;
/** A value has eight digits at most. */
const MOST_VALUE = 99_999_999;
/** A pod's clock may tick a little before ours. */
const SLACK_MS = 2;

/** When it ends, by the clock of `now`; Infinity where it has no end, or one that no pod would understand either. */
export const deadlineOf = ({ fields, protocol }: Message, now: number): number => {
  const ms = protocol === "grpc" ? timeoutOf(firstFieldOf(fields, FIELD)) : undefined;
  return ms === undefined || ms > MOST_MS ? Number.POSITIVE_INFINITY : now + ms;
};

export const hasPassed = (deadlineAt: number, now: number): boolean => now >= deadlineAt - SLACK_MS;

/** With what is left of its time. */
export const withTimeLeft = (message: Message, deadlineAt: number, now: number): Message => {
  if (deadlineAt === Number.POSITIVE_INFINITY) return message;
  const left = timeoutText(deadlineAt - now);
  const fields = message.fields.map((value, i) => (i % 2 === 1 && message.fields[i - 1] === FIELD ? left : value));
  return { ...message, fields };
};

/** For a copy that nobody waits for. */
export const withoutDeadline = (message: Message): Message => {
  if (firstFieldOf(message.fields, FIELD) === undefined) return message;
  const fields = message.fields.filter((_, i) => message.fields[i - (i % 2)] !== FIELD);
  return { ...message, fields };
};

/** Never more than there is. */
const timeoutText = (ms: number): string => {
  const whole = Math.max(1, Math.floor(ms));
  return whole <= MOST_VALUE ? `${whole}m` : `${Math.floor(whole / 1000)}S`;
};
