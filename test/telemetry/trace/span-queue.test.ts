import { expect } from 'chai';
import { type SpanQueueOptions, spanQueue } from '../../../src/telemetry/trace/span-queue.ts';
import { eventually } from '../../support/eventually.ts';

/** A queue of numbers in place of spans; its receiver answers when told to. */
function world(options: Partial<SpanQueueOptions<number>> = {}) {
  const batches: (readonly number[])[] = [];
  const answers: ((refused: number | Error) => void)[] = [];
  const lost: [number, string][] = [];
  const queue = spanQueue<number>({
    send: (spans, signal) =>
      new Promise((resolve, reject) => {
        batches.push(spans);
        signal.addEventListener('abort', () => reject(signal.reason));
        answers.push((refused) => (typeof refused === 'number' ? resolve(refused) : reject(refused)));
      }),
    maxSpans: 10,
    batchSpans: 4,
    delayMs: 1,
    closeTimeoutMs: 60_000,
    onLost: (spans, { message }) => void lost.push([spans, message]),
    ...options,
  });
  const sent = (count: number) => eventually(`batch ${count}`, () => batches.length >= count);
  return { queue, batches, answers, lost, sent };
}

describe('the queue of spans', () => {
  it('sends what came within the delay together', async () => {
    const { queue, batches, answers, sent } = world();
    for (const span of [1, 2, 3]) queue.add(span);
    expect(batches).to.deep.equal([]);
    await sent(1);
    answers[0]!(0);
    await queue.close();
    expect(batches).to.deep.equal([[1, 2, 3]]);
    expect(queue.numbers).to.deep.equal({ sent: 3, failed: 0, dropped: 0 });
  });

  it('does not wait for the delay when a batch is full, and sends nothing in the turn of the call', async () => {
    const { queue, batches, sent } = world({ delayMs: 3_600_000 });
    for (const span of [1, 2, 3, 4]) queue.add(span);
    expect(batches).to.deep.equal([]);
    await sent(1);
    expect(batches).to.deep.equal([[1, 2, 3, 4]]);
  });

  it('has one batch on its way, keeps 10 beside it and drops the 11th', async () => {
    const { queue, batches, answers, lost, sent } = world();
    for (const span of [1, 2, 3, 4]) queue.add(span);
    await sent(1);
    for (let span = 5; span <= 16; span++) queue.add(span);
    expect([batches.length, queue.numbers.dropped]).to.deep.equal([1, 2]);
    expect(lost).to.deep.equal(Array(2).fill([1, 'spans are made faster than they can be sent']));
    answers[0]!(0);
    await sent(2);
    answers[1]!(0);
    await sent(3);
    expect(batches.slice(1)).to.deep.equal([
      [5, 6, 7, 8],
      [9, 10, 11, 12],
    ]);
  });

  it('tells what was lost: a batch that failed, and the part that was refused', async () => {
    const { queue, answers, lost, sent } = world();
    for (const span of [1, 2, 3, 4]) queue.add(span);
    await sent(1);
    answers[0]!(new Error('nobody there'));
    queue.add(5);
    queue.add(6);
    await sent(2);
    answers[1]!(1);
    await queue.close();
    expect(lost).to.deep.equal([
      [4, 'nobody there'],
      [1, 'the receiver refused them'],
    ]);
    expect(queue.numbers).to.deep.equal({ sent: 1, failed: 5, dropped: 0 });
  });

  it('sends all that is left when it is closed, batch by batch, and takes no more', async () => {
    const { queue, batches, answers, sent } = world({ delayMs: 3_600_000 });
    for (let span = 1; span <= 6; span++) queue.add(span);
    const closed = queue.close();
    queue.add(7);
    expect(queue.close()).to.equal(closed);
    await sent(1);
    answers[0]!(0);
    await sent(2);
    answers[1]!(0);
    await closed;
    expect(batches).to.deep.equal([
      [1, 2, 3, 4],
      [5, 6],
    ]);
    expect(queue.numbers).to.deep.equal({ sent: 6, failed: 0, dropped: 1 });
  });

  it('gives up what is left when the receiver does not answer within the time to close', async () => {
    const { queue, batches, lost } = world({ delayMs: 3_600_000, closeTimeoutMs: 1 });
    for (let span = 1; span <= 6; span++) queue.add(span);
    await queue.close();
    expect(batches).to.deep.equal([[1, 2, 3, 4]]);
    expect(lost).to.deep.equal([
      [4, 'weir stops'],
      [2, 'weir stops'],
    ]);
    expect(queue.numbers).to.deep.equal({ sent: 0, failed: 6, dropped: 0 });
  });

  it('closes at once when there is nothing', async () => {
    const { queue, batches } = world();
    await queue.close();
    expect(batches).to.deep.equal([]);
  });
});
