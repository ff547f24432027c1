// Runs a command beside a Redis and a weir of its own, and ends all of them after it:
//   node with-weir.mjs rules.yaml [--mariadb schema.sql] COMMAND...
// The command finds them in WEIR, WEIR_METRICS, REDIS_URL and DATABASE_URL. What of WEIR, REDIS_URL and DATABASE_URL is
// set before is used and not started; every setting of weir may stand in the environment.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const READY_MS = 30_000;
const PAUSE_MS = 50;
const GRACE_MS = 10_000;

const words = process.argv.slice(2);
const rules = words.shift();
const schema = words[0] === '--mariadb' ? words.splice(0, 2)[1] : undefined;
if (rules === undefined || words.length === 0) {
  console.error('usage: with-weir.mjs RULES [--mariadb SCHEMA] COMMAND...');
  process.exit(2);
}

// Where Debian has mariadbd, and people who are not root don't look.
process.env.PATH += ':/usr/sbin';
const folder = mkdtempSync(join(tmpdir(), 'weir-'));
const running = [];
let ending = null;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void end(0));
try {
  const env = { ...process.env };
  if (schema !== undefined) env.DATABASE_URL ??= await mariadb(schema);
  if (env.WEIR === undefined) {
    env.REDIS_URL ??= await redis();
    Object.assign(env, await weir(env));
  }
  const [code] = await started(words[0], words.slice(1), env, 'inherit').ended;
  await end(code ?? 1);
} catch (error) {
  if (ending === null) console.error(error.message);
  await end(1);
}

/** On a unix socket, so that no port is taken. */
async function redis() {
  const socket = join(folder, 'redis.sock');
  const child = started('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder]);
  await until('redis-server', child, () => existsSync(socket));
  return `unix://${socket}`;
}

async function weir({ REDIS_URL, ...settings }) {
  const main = join(CHECKOUT, 'dist', 'main.js');
  if (!existsSync(main)) execFileSync('make', ['-s', 'build'], { cwd: CHECKOUT, stdio: 'inherit' });
  const [port, grpcPort, adminPort] = [await freePort(), await freePort(), await freePort()];
  const child = started(process.execPath, [main, 'serve', '--rules', resolve(rules)], {
    LOG_LEVEL: 'error',
    // No two limits ever share a counter, whatever is written into a name.
    KEY_FORMAT: 'escaped',
    // The key under which values are hashed. In production: the same for every process, from a secret store.
    HASH_VALUE_SECRET: randomBytes(32).toString('hex'),
    ...settings,
    REDIS_URL: REDIS_URL.replace(/^unix:\/\//, ''),
    HOST: '127.0.0.1',
    PORT: port,
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: grpcPort,
    DEBUG_HOST: '127.0.0.1',
    DEBUG_PORT: adminPort,
  });
  await until('weir', child, async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    if (!answer.ok) throw new Error((await answer.text()).trim());
    return true;
  });
  return { WEIR: `127.0.0.1:${grpcPort}`, WEIR_METRICS: `http://127.0.0.1:${port}/metrics` };
}

/** With the tables of a schema, on a unix socket, for a user who may only read. */
async function mariadb(file) {
  const data = join(folder, 'data');
  const socket = join(folder, 'mariadb.sock');
  const own = ['--no-defaults', `--user=${userInfo().username}`, `--datadir=${data}`];
  const asRoot = ['--no-defaults', '-u', 'root', '-S', socket];
  const made = started('mariadb-install-db', [...own, '--auth-root-authentication-method=normal', '--skip-test-db']);
  const [code] = await made.ended;
  if (code !== 0) throw new Error(`mariadb-install-db made no database: ${made.output}`);
  const child = started('mariadbd', [...own, `--socket=${socket}`, '--skip-networking', `--pid-file=${folder}/pid`]);
  await until('mariadbd', child, () => spawnSync('mariadb-admin', [...asRoot, 'ping']).status === 0);
  execFileSync('mariadb', asRoot, { input: readFileSync(file) });
  return `mysql://reader@localhost/world?socketPath=${socket}`;
}

/** What servers print is shown only when they end before their time. */
function started(command, args, env = process.env, stdio = ['ignore', 'pipe', 'pipe']) {
  const child = spawn(command, args, { env, stdio });
  const it = { child, output: '', ended: null };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      it.output = (it.output + chunk).slice(-10_000);
    });
  }
  it.ended = new Promise((done, fail) => {
    child.once('error', (error) => {
      running.splice(running.indexOf(it), 1);
      fail(new Error(`${command} cannot be started: ${error.message}`));
    });
    child.once('exit', (...how) => {
      running.splice(running.indexOf(it), 1);
      done(how);
    });
  });
  it.ended.catch(() => {});
  running.push(it);
  return it;
}

async function until(name, it, isReady) {
  const late = Date.now() + READY_MS;
  let last;
  while (Date.now() < late) {
    if (ending !== null) throw new Error('ended');
    if (it.child.pid === undefined) await it.ended;
    if (!running.includes(it)) break;
    try {
      if (await isReady()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
  throw new Error(`${name} did not get ready: ${it.output || last?.message}`);
}

/** Ends all in the reverse of the order in which they were started. */
function end(code) {
  ending ??= (async () => {
    while (running.length > 0) {
      const { child, ended } = running.at(-1);
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
      await ended.catch(() => {});
      clearTimeout(force);
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    process.exit(code);
  })();
  return ending;
}

function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer().once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(String(port)));
    });
  });
}
