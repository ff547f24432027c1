import { expect } from 'chai';
import type { Answer } from './client.ts';
import { deployedEnvoy, EDGE_RULES, shownBed } from './shown-bed.ts';

describe('the Envoy configuration that the README shows', () => {
  const bed = shownBed(EDGE_RULES, deployedEnvoy);

  it('lets 10 requests of an address pass in a minute and answers the 11th with 429 and retry-after', async () => {
    const answers = await bed.elevenInAMinute();
    expect(answers.map(({ status }) => status)).to.deep.equal([...new Array(10).fill(200), 429]);
    const { headers } = answers.at(-1) as Answer;
    expect(headers['x-ratelimit-limit']).to.equal('10, 10;w=60');
    expect(headers['x-ratelimit-remaining']).to.equal('0');
    expect(Number(headers['retry-after'])).to.be.within(1, 60);
  });
});
