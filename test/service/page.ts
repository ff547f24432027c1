/** What GET answers on a port of the service. */
export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export async function page(port: number, path: string): Promise<Page> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', body: await answer.text() };
}

/** The three probes of the HTTP port, by path without the slash. */
export async function probes(httpPort: number): Promise<Readonly<Record<'livez' | 'healthcheck' | 'readyz', number>>> {
  const [livez, healthcheck, readyz] = await Promise.all(
    ['/livez', '/healthcheck', '/readyz'].map(async (path) => (await page(httpPort, path)).status),
  );
  return { livez: livez!, healthcheck: healthcheck!, readyz: readyz! };
}

/** The value of a series, labels and all as /metrics writes them; 0 while it is not told. */
export async function metric(httpPort: number, series: string): Promise<number> {
  const { body } = await page(httpPort, '/metrics');
  const line = body.split('\n').find((it) => it.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}
