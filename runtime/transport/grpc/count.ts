/** How the calls of one method ended; `codes[n]` have the gRPC status n. */
export type Calls = { method: string; inFlight: number; codes: number[] };

export const callsOf = (method: string): Calls => ({ method, inFlight: 0, codes: new Array<number>(17).fill(0) });

/** A call begins; what is returned is called when it ends. */
export const countCall = (calls: Calls): ((code: number) => void) => {
  calls.inFlight++;
  return (code) => {
    calls.inFlight--;
    calls.codes[code] = (calls.codes[code] ?? 0) + 1;
  };
};
