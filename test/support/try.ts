import { type RateLimitResponse, rlsClient } from '../../src/grpc/client.ts';
import { service } from './service.ts';

const RULES = 'domain: try\ndescriptors:\n  - key: user\n    rate_limit: { unit: minute, requests_per_unit: 10 }\n';
const CALLS = 11;

// `make try`: a weir of its own on free ports, counting in memory, asked as Envoy would ask it.
const weir = await service({ rules: { 'try.yaml': RULES } });
const client = rlsClient(`127.0.0.1:${weir.grpcPort}`, { timeoutMs: 5_000 });
try {
  console.log(
    `weir listens on 127.0.0.1:${weir.grpcPort} (gRPC) and 127.0.0.1:${weir.httpPort} (HTTP), with the rules\n`,
  );
  console.log(RULES.replace(/^/gm, '    '));
  // A minute may end between the calls; then the next user meets a whole one.
  const refused = (await elevenCalls('ada')) || (await elevenCalls('grace'));
  console.log(refused ? '\nThe 11th call was refused.' : '\nThe 11th call was not refused: that is a bug of weir.');
  process.exitCode = refused ? 0 : 1;
} finally {
  client.close();
  await weir.close();
}

/** Prints each answer; true when the last one alone is over the limit. */
async function elevenCalls(user: string): Promise<boolean> {
  const codes: string[] = [];
  for (let call = 1; call <= CALLS; call++) {
    const answer = await client.check({ domain: 'try', descriptors: [{ entries: [{ key: 'user', value: user }] }] });
    console.log(`    call ${String(call).padStart(2)}, user=${user}: ${told(answer)}`);
    codes.push(answer.overallCode);
  }
  return codes.indexOf('OVER_LIMIT') === CALLS - 1;
}

function told({ overallCode, statuses }: RateLimitResponse): string {
  const { limitRemaining = 0, durationUntilReset = null } = statuses[0] ?? {};
  const resets = durationUntilReset === null ? '' : `, resets in ${durationUntilReset.seconds} s`;
  return `${overallCode.padEnd(10)} ${limitRemaining} left${resets}`;
}
