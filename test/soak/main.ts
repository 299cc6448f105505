/** `npm run soak -- server`: hours in minutes. Load of all kinds, and what must not grow. */
import { parseArguments } from "../../build/parse-arguments.ts";
import { soakServer } from "./server.ts";

const HELP = `npm run soak -- server [--minutes N]

  server       load of all kinds against the inference server: memory, handles and the delay of the event loop must not grow
  --minutes N  how long (default: 10; less than 2 shows little)
  --help`;

const { values, positionals } = parseArguments("npm run soak --", {
  allowPositionals: true,
  options: { minutes: { type: "string", default: "10" }, help: { type: "boolean" } },
});
const minutes = Number(values.minutes);
if (values.help === true || positionals[0] !== "server" || !(minutes > 0 && minutes <= 24 * 60)) {
  console.log(HELP);
  process.exit(values.help === true ? 0 : 2);
}
const problems = await soakServer(minutes * 60_000, (line) => console.log(line));
for (const problem of problems) console.log(problem);
console.log(problems.length === 0 ? "nothing grows" : `${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
