/** What a bench is to the command that runs it. */

/** Rates of two things measured in turns, in operations a second; `limit` is what the ratio is to. */
export type Round = { ours: number; limit: number };

export type Bench = {
  summary: string;
  ours: string;
  limit: string;
  run: (report: (line: string) => void) => Promise<Round[]>;
};
