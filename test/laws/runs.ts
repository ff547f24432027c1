/** How often a law is tried: LAW_RUNS, else 10,000 in `make soak` and 1,000 elsewhere. */
export const LAW_RUNS = Number(process.env.LAW_RUNS || (process.env.SOAK === '1' ? 10_000 : 1_000));
