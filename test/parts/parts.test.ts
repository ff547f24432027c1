import { expect } from 'chai';
import type { Part } from '../../src/core/ports.ts';
import { parts } from '../../src/parts.ts';
import { gate } from '../grpc/gate.ts';

const FOREVER = new Promise<never>(() => {});

interface World {
  readonly seen: string[];
  readonly failed: string[];
  part(name: string, does?: Partial<Pick<Part, 'start' | 'stop'>>): Part;
  all(list: readonly Part[], stopTimeoutMs?: number): ReturnType<typeof parts>;
}

function world(): World {
  const seen: string[] = [];
  const failed: string[] = [];
  return {
    seen,
    failed,
    part: (name, does = {}) => ({
      name,
      async start() {
        seen.push(`start ${name}`);
        await does.start?.();
      },
      async stop() {
        seen.push(`stop ${name}`);
        await does.stop?.();
      },
    }),
    all: (list, stopTimeoutMs = 60_000) =>
      parts(list, { stopTimeoutMs, onStopFailed: ({ name }, { message }) => void failed.push(`${name}: ${message}`) }),
  };
}

const fails = (message: string) => (): Promise<void> => Promise.reject(new Error(message));

describe('parts', () => {
  it('start in order and stop in reverse', async () => {
    const { seen, part, all } = world();
    const three = all([part('a'), part('b'), part('c')]);
    await three.start();
    await three.stop();
    expect(seen).to.deep.equal(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
  });

  it('start one after the other, not at once', async () => {
    const { seen, part, all } = world();
    const open = gate();
    const starting = all([part('a', { start: () => open.opened }), part('b')]).start();
    expect(seen).to.deep.equal(['start a']);
    open.open();
    await starting;
    expect(seen).to.deep.equal(['start a', 'start b']);
  });

  it('stop one after the other, not at once', async () => {
    const { seen, part, all } = world();
    const open = gate();
    const two = all([part('a'), part('b', { stop: () => open.opened })]);
    await two.start();
    const stopping = two.stop();
    expect(seen.at(-1)).to.equal('stop b');
    open.open();
    await stopping;
    expect(seen.at(-1)).to.equal('stop a');
  });

  it('stop what had started when the 2nd of 3 fails to, the failed one too, and say why it failed', async () => {
    const { seen, part, all } = world();
    const three = all([part('a'), part('b', { start: fails('port taken') }), part('c')]);
    const error = await three.start().catch((e: Error) => e);
    expect(error).to.be.an('error').with.property('message', 'port taken');
    expect(seen).to.deep.equal(['start a', 'start b', 'stop b', 'stop a']);
  });

  it('stop once, however often they are asked: the promise is the same', async () => {
    const { seen, part, all } = world();
    const one = all([part('a')]);
    await one.start();
    expect(one.stop()).to.equal(one.stop());
    await one.stop();
    expect(seen).to.deep.equal(['start a', 'stop a']);
  });

  it('stop nothing that was never started', async () => {
    const { seen, part, all } = world();
    const one = all([part('a')]);
    await one.stop();
    await one.start();
    expect(seen).to.deep.equal([]);
  });

  it('start no further when they are stopped meanwhile', async () => {
    const { seen, part, all } = world();
    const open = gate();
    const two = all([part('a', { start: () => open.opened }), part('b')]);
    const starting = two.start();
    await two.stop();
    open.open();
    await starting;
    expect(seen).to.deep.equal(['start a', 'stop a']);
  });

  it('run every stop when one rejects and one throws, and tell of both', async () => {
    const { seen, failed, part, all } = world();
    const throws: Part = {
      ...part('c'),
      stop() {
        throw new Error('at once');
      },
    };
    const four = all([part('a'), part('b', { stop: fails('later') }), throws, part('d')]);
    await four.start();
    await four.stop();
    expect(seen.slice(-3)).to.deep.equal(['stop d', 'stop b', 'stop a']);
    expect(failed).to.deep.equal(['c: at once', 'b: later']);
  });

  it('wait 5 ms for one that hangs, tell of it, and stop the rest', async () => {
    const { seen, failed, part, all } = world();
    const three = all([part('a'), part('b', { stop: () => FOREVER }), part('c')], 5);
    await three.start();
    await three.stop();
    expect(seen.slice(-3)).to.deep.equal(['stop c', 'stop b', 'stop a']);
    expect(failed).to.deep.equal(['b: took longer than 5 ms']);
  });

  it('tell why the start failed also when the stop that follows fails', async () => {
    const { failed, part, all } = world();
    const two = all([part('a', { stop: fails('stuck') }), part('b', { start: fails('port taken') })]);
    const error = await two.start().catch((e: Error) => e);
    expect(error).to.have.property('message', 'port taken');
    expect(failed).to.deep.equal(['a: stuck']);
  });
});
