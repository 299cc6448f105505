import { z } from "zod";
import { type FetchProgress, PROGRESS_PATH } from "../../api/v1alpha1/index.ts";
import { ask } from "./ask.ts";

const MOST_BYTES = 1_024;

const amount = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const answer = z.object({ bytes: amount, total: amount.optional(), seconds: amount });

/** How far the pod's init container has come, over HTTP. Undefined if it does not say. */
export const askFetchProgress = async (address: string): Promise<FetchProgress | undefined> => {
  const told = await ask(address, PROGRESS_PATH, answer, MOST_BYTES);
  if (told === undefined) return undefined;
  const { bytes, seconds, total } = told;
  return { bytes, seconds, ...(total === undefined ? {} : { total }) };
};
