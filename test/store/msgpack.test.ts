import { expect } from 'chai';
import { unpackedList } from '../../src/store/redis/msgpack.ts';
import { type OwnRedis, ownRedis } from '../support/redis.ts';

describe('what cmsgpack packs', () => {
  let server: OwnRedis;

  before(async () => {
    server = await ownRedis();
  });

  after(() => server.stop());

  async function packedByRedis(lua: string): Promise<Buffer> {
    return (await server.client.callBuffer('EVAL', `return cmsgpack.pack(${lua})`, 0)) as Buffer;
  }

  it('is read exactly at both ends of each size of integer, up to 2^53 - 1', async () => {
    const edges = [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER];
    expect(unpackedList(await packedByRedis(`{${edges.join()}}`))).to.deep.equal(edges);
  });

  it('is read with texts of 0 to 300 bytes among the integers', async () => {
    const texts = [0, 1, 31, 32, 255, 256, 300].map((length) => 'x'.repeat(length));
    const lua = texts.map((text) => `'${text}', ${text.length}`).join();
    expect(unpackedList(await packedByRedis(`{${lua}, 'é'}`))).to.deep.equal([
      ...texts.flatMap((text) => [text, text.length]),
      'é',
    ]);
  });

  it('is read as lists of 1, 15, 16, 65,535 and 65,536', async () => {
    for (const length of [1, 15, 16, 65_535, 65_536]) {
      const packed = await packedByRedis(
        `(function() local t = {} for i = 1, ${length} do t[i] = i end return t end)()`,
      );
      expect(unpackedList(packed)).to.deep.equal(Array.from({ length }, (_, i) => i + 1));
    }
  });

  it('is no list when it is cut short, goes on, or holds anything else', async () => {
    const packed = await packedByRedis(`{1, 300, 70000, 5000000000, 'text', '${'x'.repeat(300)}'}`);
    for (let length = 0; length < packed.length; length++) {
      expect(unpackedList(packed.subarray(0, length)), `${length} bytes`).to.equal(null);
    }
    expect(unpackedList(Buffer.concat([packed, Buffer.of(1)]))).to.equal(null);
    for (const other of ['1', "'text'", '{-1}', '{0.5}', '{true}', '{{1}}', '{a = 1}']) {
      expect(unpackedList(await packedByRedis(other)), other).to.equal(null);
    }
  });
});
