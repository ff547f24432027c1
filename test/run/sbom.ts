import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

interface Bom {
  readonly metadata: { readonly component: { name: string } };
  components: {
    readonly 'bom-ref': string;
    readonly properties?: readonly { readonly name: string; readonly value: string }[];
  }[];
  dependencies: { readonly ref: string; dependsOn: string[] }[];
}

// `make sbom`. `npm sbom --omit=dev` leaves out @grpc/grpc-js, because a package of the tests wants it too: so all are
// asked for, and those that are only for development taken out here.
const bom = JSON.parse(
  execFileSync('npm', ['sbom', '--sbom-format=cyclonedx'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
) as Bom;
const { name } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { name: string };

const isForTests = ({ properties = [] }: Bom['components'][number]): boolean =>
  properties.some((it) => it.name === 'cdx:npm:package:development' && it.value === 'true');
const gone = new Set(bom.components.filter(isForTests).map((it) => it['bom-ref']));

// npm calls the package by its folder.
bom.metadata.component.name = name;
bom.components = bom.components.filter((it) => !gone.has(it['bom-ref']));
bom.dependencies = bom.dependencies
  .filter(({ ref }) => !gone.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((it) => !gone.has(it)) }));
// `make sbom | head` goes away before the end.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
console.log(JSON.stringify(bom, null, 2));
