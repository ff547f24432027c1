import { readFileSync } from 'node:fs';
import { type Answer, ECHO_INITIAL, ECHO_TRAILING, Failed, type Library, type Open } from './library.ts';

type Run = (library: Library) => Promise<object>;

const MEGABYTE = 1_048_576;
const SPECIAL_MESSAGE = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
const SMALL = { size: 10, responseSize: 32 };

/** The program of a library: `ADDRESS CA CASE...`, as cases.ts says. */
export async function run(open: Open): Promise<void> {
  const [address = '', ca = '-', ...names] = process.argv.slice(2);
  for (const name of names) {
    const one = RUNS[name];
    if (one === undefined) throw new Error(`no case ${name}`);
    const library = open({ address, ca: ca === '-' ? null : readFileSync(ca), gzip: name === 'gzip' });
    console.log(JSON.stringify({ case: name, ...(await one(library)) }));
    library.close();
  }
}

const RUNS: Readonly<Record<string, Run>> = {
  unary: async (library) => sized(await library.unary(SMALL)),
  many,
  concurrent,
  deadline: (library) => {
    const metadata = [['x-weir-call', 'deadline'] as const, ['x-weir-hold', 'gone'] as const];
    return codeOf(library.unary(SMALL, { metadata, timeoutMs: 500 }));
  },
  cancel,
  large: async (library) => sized(await library.unary({ size: MEGABYTE, responseSize: MEGABYTE })),
  empty: async (library) => {
    await library.empty();
    return { ok: 2, ...sized(await library.unary({ size: 0, responseSize: 0 })) };
  },
  gzip: async (library) => sized(await library.unary({ size: 100_000, responseSize: 32 })),
  metadata,
  error,
  health,
  reflection: (library) => library.reflect('grpc.health.v1.Health'),
  goaway,
};

const sized = ({ bytes }: Answer) => ({ bytes });

async function codeOf(call: Promise<unknown>): Promise<{ readonly code: number }> {
  const error: unknown = await call.then(
    () => null,
    (reason) => reason,
  );
  if (error !== null && !(error instanceof Failed)) throw error;
  return { code: error?.code ?? 0 };
}

async function many(library: Library): Promise<object> {
  let left = 10_000;
  let ok = 0;
  const oneAfterTheOther = async () => {
    while (left-- > 0) {
      await library.empty();
      ok++;
    }
  };
  await Promise.all(Array.from({ length: 64 }, oneAfterTheOther));
  return { ok };
}

async function concurrent(library: Library): Promise<object> {
  const call = () => library.unary(SMALL, { metadata: [['x-weir-hold', '200']] });
  const answers = await Promise.all(Array.from({ length: 200 }, call));
  return { ok: answers.filter(({ bytes }) => bytes === 32).length };
}

async function cancel(library: Library): Promise<object> {
  const controller = new AbortController();
  const metadata = [['x-weir-call', 'cancel'] as const, ['x-weir-hold', 'gone'] as const];
  const code = codeOf(library.unary(SMALL, { metadata, signal: controller.signal }));
  await library.empty({ metadata: [['x-weir-await', 'cancel']] });
  controller.abort();
  return code;
}

async function metadata(library: Library): Promise<object> {
  const { initial, trailing } = await library.unary(SMALL, {
    metadata: [
      [ECHO_INITIAL, 'test_initial_metadata_value'],
      [ECHO_TRAILING, Uint8Array.of(0xab, 0xab, 0xab)],
      [ECHO_TRAILING, Uint8Array.of(0x00, 0xff)],
    ],
  });
  return { initial, trailing };
}

async function error(library: Library): Promise<object> {
  const call = library.unary({ size: 0, responseSize: 0, status: { code: 9, message: SPECIAL_MESSAGE } });
  const failed: unknown = await call.catch((reason) => reason);
  if (!(failed instanceof Failed)) throw failed;
  const { code, message, details } = failed;
  return { code, message, details };
}

async function health(library: Library): Promise<object> {
  const check = await library.check();
  const controller = new AbortController();
  const watch: string[] = [];
  for await (const state of library.watch(controller.signal)) {
    watch.push(state);
    if (watch.length === 3) break;
    await library.empty({ metadata: [['x-weir-serving', watch.length === 1 ? 'false' : 'true']] });
  }
  controller.abort();
  return { check, watch };
}

async function goaway(library: Library): Promise<object> {
  let ok = 0;
  const failed: string[] = [];
  const told = (call: Promise<unknown>) => {
    return call.then(
      () => ok++,
      (reason) => failed.push(String(reason)),
    );
  };
  const oneAfterTheOther = async () => {
    for (let i = 0; i < 50; i++) await told(library.empty());
  };
  for (let round = 0; round < 5; round++) {
    await Promise.all([
      ...Array.from({ length: 50 }, () => told(library.unary(SMALL, { metadata: [['x-weir-hold', 'drain']] }))),
      told(library.empty({ metadata: [['x-weir-drain', '50']] })),
      ...Array.from({ length: 4 }, oneAfterTheOther),
    ]);
  }
  return { ok, failed };
}
