import { expect } from 'chai';
import type { Judgement } from '../../src/rules/loader.ts';
import { type Dialogue, dialogue, FIRST_WAIT_MS, LAST_WAIT_MS } from '../../src/xds/dialogue.ts';
import { type DiscoveryRequest, nodeOf, TYPE_URL } from '../../src/xds/discovery.ts';

const GOOD: Judgement = { ok: true };
const BAD = {
  ok: false as const,
  problems: [{ file: 'r: d.k', line: 0, column: 0, message: 'no good', hint: '', source: '' }],
} satisfies Judgement;

describe('the conversation with a control plane', () => {
  let sent: DiscoveryRequest[];
  let accepted: string[];
  let nowMs: number;
  let waiting: { atMs: number; task: () => void } | null;
  let verdict: Judgement | null | Promise<Judgement | null>;
  let talk: Dialogue;

  beforeEach(() => {
    sent = [];
    accepted = [];
    nowMs = 0;
    waiting = null;
    verdict = GOOD;
    talk = begun('');
  });

  function begun(acceptedVersion: string): Dialogue {
    return dialogue({
      node: nodeOf('n', {}, '1'),
      acceptedVersion,
      judge: async () => verdict,
      send: (request) => sent.push(request),
      onJudged: (version, { ok }) => ok && accepted.push(version),
      nowMs: () => nowMs,
      later(ms, task) {
        waiting = { atMs: nowMs + ms, task };
        return () => {
          waiting = null;
        };
      },
    });
  }

  async function comes(version: string, nonce: string, judged: Judgement): Promise<void> {
    verdict = judged;
    await talk.received({ version_info: version, nonce, type_url: TYPE_URL });
  }

  /** Lets the time come at which the answer is due, and says how long that took. */
  function due(): number {
    const { atMs, task } = waiting!;
    const tookMs = atMs - nowMs;
    waiting = null;
    nowMs = atMs;
    task();
    return tookMs;
  }

  const told = () =>
    sent.map(({ version_info: version, response_nonce: nonce, error_detail: error }) =>
      [version, nonce, ...(error ? [error.message] : [])].join(' '),
    );

  it('asks first with the version accepted on an earlier stream, and no nonce', () => {
    talk = begun('7');
    talk.begin();
    expect(sent).to.deep.equal([
      {
        version_info: '7',
        node: { id: 'n', metadata: { fields: {} }, user_agent_name: 'weir', user_agent_version: '1' },
        type_url: TYPE_URL,
        response_nonce: '',
      },
    ]);
  });

  it('answers each good set at once, once, with its version and nonce', async () => {
    await comes('1', 'a', GOOD);
    await comes('2', 'b', GOOD);
    expect(told()).to.deep.equal(['1 a', '2 b']);
    expect([accepted, waiting]).to.deep.equal([['1', '2'], null]);
  });

  it('answers a bad set at once with the version before it, its nonce, and what is wrong', async () => {
    await comes('1', 'a', GOOD);
    nowMs = 1_000;
    await comes('2', 'b', BAD);
    expect(told()).to.deep.equal(['1 a', '1 b r: d.k: no good']);
    expect(sent[1]?.error_detail?.code).to.equal(3);
  });

  it('answers a version that is sent again and again ever later: 100, 200, 400 ms and so on, at most 5 s', async () => {
    await comes('1', 'a', BAD);
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      await comes('1', `b${i}`, BAD);
      waits.push(due());
    }
    expect(waits).to.deep.equal([100, 200, 400, 800, 1_600, 3_200, LAST_WAIT_MS, LAST_WAIT_MS]);
    expect(sent).to.have.length(9);
  });

  it('answers a good set that is sent again and again ever later too', async () => {
    await comes('1', 'a', GOOD);
    await comes('1', 'b', GOOD);
    expect(due()).to.equal(FIRST_WAIT_MS);
    await comes('1', 'c', GOOD);
    expect(due()).to.equal(2 * FIRST_WAIT_MS);
    expect(told()).to.deep.equal(['1 a', '1 b', '1 c']);
  });

  it('answers good sets at once when the control plane has no versions', async () => {
    for (const nonce of ['a', 'b', 'c']) await comes('', nonce, GOOD);
    expect([told(), waiting]).to.deep.equal([[' a', ' b', ' c'], null]);
  });

  it('answers a mended set at once, while a refusal of the old one waits, and forgets that refusal', async () => {
    await comes('1', 'a', BAD);
    await comes('1', 'b', BAD);
    await comes('2', 'c', GOOD);
    expect(told()).to.deep.equal([' a r: d.k: no good', '2 c']);
    expect(waiting).to.equal(null);
  });

  it('keeps 100 ms between refusals of ever new versions', async () => {
    for (const version of ['1', '2', '3']) await comes(version, version, BAD);
    expect([sent.length, due()]).to.deep.equal([1, FIRST_WAIT_MS]);
  });

  it('does not answer a set that was overtaken while it was judged', async () => {
    let judged: (judgement: Judgement) => void = () => {};
    verdict = new Promise((resolve) => {
      judged = resolve;
    });
    const slow = talk.received({ version_info: '1', nonce: 'a' });
    await comes('2', 'b', GOOD);
    judged(GOOD);
    await slow;
    expect(told()).to.deep.equal(['2 b']);
  });

  it('says nothing more when the stream has ended', async () => {
    await comes('1', 'a', BAD);
    await comes('1', 'b', BAD);
    talk.end();
    await comes('2', 'c', GOOD);
    expect([sent.length, waiting]).to.deep.equal([1, null]);
  });

  it('cuts what is wrong at 4,000 characters', async () => {
    const problems = Array.from({ length: 50 }, () => ({ ...BAD.problems[0]!, message: 'x'.repeat(400) }));
    await comes('1', 'a', { ok: false, problems });
    expect(sent[0]?.error_detail?.message).to.have.length(4_000);
  });
});
