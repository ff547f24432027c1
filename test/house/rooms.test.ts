import { posix } from 'node:path';
import { expect } from 'chai';
import { files, importsOf, read } from './tree.ts';

interface Room {
  /** Rooms, or single files of a room, that it may import. `type x`: types only. */
  readonly rooms: readonly string[];
  /** Packages that only it uses; `x/` stands for a scope. */
  readonly packages: readonly string[];
}

const EVERY_ROOM = [
  'core',
  'clock',
  'limiter',
  'parts',
  'rules',
  'store',
  'telemetry',
  'wire',
  'grpc',
  'http',
  'xds',
  'settings',
  'workers',
];

const ROOMS: Readonly<Record<string, Room>> = {
  core: { rooms: [], packages: [] },
  limiter: { rooms: ['core'], packages: [] },
  parts: { rooms: ['core', 'within'], packages: [] },
  within: { rooms: [], packages: [] },
  rules: { rooms: ['core'], packages: ['yaml', 'chokidar'] },
  store: { rooms: ['core', 'within'], packages: [] },
  'store/redis': { rooms: ['core', 'store', 'within'], packages: ['ioredis'] },
  telemetry: {
    rooms: ['core'],
    packages: ['prom-client', 'pino', 'pino-pretty', 're2js', 'yaml', '@opentelemetry/', '@grpc/grpc-js'],
  },
  wire: { rooms: [], packages: [] },
  grpc: { rooms: ['core', 'wire', 'type limiter'], packages: ['@grpc/', 'grpc-health-check'] },
  xds: { rooms: ['core', 'rules', 'grpc/protos'], packages: ['@grpc/'] },
  http: { rooms: ['core', 'wire', 'type limiter', 'within'], packages: [] },
  settings: { rooms: ['core', 'wire/http2/bounds', 'wire/rpc/bounds'], packages: [] },
  clock: { rooms: ['core'], packages: [] },
  version: { rooms: [], packages: [] },
  app: { rooms: [...EVERY_ROOM, 'store/redis', 'version'], packages: [] },
  cases: { rooms: ['core', 'limiter', 'rules', 'store/memory'], packages: [] },
  workers: { rooms: ['core', 'rules', 'type telemetry', 'within'], packages: [] },
  doctor: {
    rooms: [
      'core',
      'settings',
      'rules',
      'rules-place',
      'counting',
      'grpc-door',
      'grpc/certificates',
      'grpc/unix-socket',
      'store',
      'store/redis',
      'within',
    ],
    packages: [],
  },
  cli: {
    rooms: [
      'app',
      'cases',
      'clock',
      'doctor',
      'settings',
      'core',
      'rules',
      'grpc/client',
      'telemetry/labels',
      'version',
      'workers',
    ],
    packages: [],
  },
  main: { rooms: ['cli', 'settings', 'version'], packages: [] },
};

/** Files at the top that belong to another one's room. */
const LODGERS: Readonly<Record<string, string>> = {
  counting: 'app',
  'grpc-door': 'app',
  guard: 'app',
  'limiter-options': 'app',
  'loop-lag': 'app',
  observing: 'app',
  primary: 'app',
  'rules-loading': 'app',
  'rules-over-xds': 'app',
  'rules-place': 'app',
  sinks: 'app',
  tracing: 'app',
};

/** `src/store/redis/batch.ts` -> `store/redis` */
function roomOf(path: string): string {
  const inside = path.replace(/^src\//, '').replace(/\.ts$/, '');
  if (inside.startsWith('store/redis/')) return 'store/redis';
  const top = inside.split('/')[0]!;
  return LODGERS[top] ?? top;
}

function mayImport(room: Room, own: string, path: string, typeOnly: boolean): boolean {
  const target = roomOf(path);
  const file = path.replace(/^src\//, '').replace(/\.ts$/, '');
  const allowed = [own, ...room.rooms, ...(typeOnly ? room.rooms.map((it) => it.replace(/^type /, '')) : [])];
  return allowed.includes(target) || allowed.includes(file);
}

const SOURCES = files(/^src\/.*\.ts$/);

describe('rooms', () => {
  it('has a row in the table for every room', () => {
    expect([...new Set(SOURCES.map(roomOf))].filter((room) => !ROOMS[room])).to.deep.equal([]);
  });

  for (const [name, room] of Object.entries(ROOMS)) {
    const own = SOURCES.filter((path) => roomOf(path) === name);
    if (own.length === 0) continue;
    const packages = room.packages.length === 0 ? 'no packages' : room.packages.join(', ');

    it(`lets ${name} import ${room.rooms.join(', ') || 'nothing of ours'} and ${packages}`, () => {
      const wrong = own.flatMap((path) =>
        importsOf(read(path))
          .filter(({ specifier, typeOnly }) => {
            if (specifier.startsWith('node:')) return name === 'core';
            if (!specifier.startsWith('.')) return !room.packages.some((it) => isOf(it, specifier));
            return !mayImport(room, name, posix.join(posix.dirname(path), specifier), typeOnly);
          })
          .map(({ specifier }) => `${path} imports ${specifier}`),
      );
      expect(wrong).to.deep.equal([]);
    });
  }

  it('imports own files by their whole name, extension included', () => {
    const wrong = files(/^(src|test)\/.*\.ts$/).flatMap((path) =>
      importsOf(read(path))
        .filter(({ specifier }) => specifier.startsWith('.') && !/\.(ts|cjs|json)$/.test(specifier))
        .map(({ specifier }) => `${path} imports ${specifier}`),
    );
    expect(wrong).to.deep.equal([]);
  });
});

function isOf(allowed: string, specifier: string): boolean {
  return allowed.endsWith('/')
    ? specifier.startsWith(allowed)
    : specifier === allowed || specifier.startsWith(`${allowed}/`);
}
