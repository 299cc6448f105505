/**
 * A reporter of node:test that prints nothing but what failed, and why. `npm test` shows it again as the last thing: a log that is cut
 * at the front, as CI's are, must still tell.
 */
import type { EventData } from "node:test";

type Event = { type: string; data: EventData.TestFail };

const MOST_CHARACTERS = 1500;

export default async function* failures(source: AsyncIterable<Event>): AsyncGenerator<string> {
  for await (const { data, type } of source) {
    if (type !== "test:fail") continue;
    const { error } = data.details;
    const cause =
      error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : String(error.cause ?? error);
    // a suite fails with its tests, which tell more
    if (data.details.type === "suite") continue;
    yield `${data.file ?? ""}: ${data.name}\n${cause.slice(0, MOST_CHARACTERS)}\n\n`;
  }
}
