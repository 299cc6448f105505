/** Of what is made up; both are printed by `npm run test:faults -- router`. */
export const SEED = Number(process.env.FUZZ_SEED ?? 1);
export const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 5);
