import { writeFileSync } from 'node:fs';
import { ALGORITHMS_SVG, algorithmsPlot } from './algorithms-plot.ts';
import { ARCHITECTURE_SVG, architecturePlot } from './architecture-plot.ts';
import { BURST_SVG, burstPlot } from './burst-plot.ts';
import { PEERS_SVG, peers, peersPlot } from './peers-plot.ts';

/** Every picture of docs, and how it is drawn. `make tables` draws them. */
export const PICTURES: readonly (readonly [url: URL, draw: () => string | Promise<string>])[] = [
  [ARCHITECTURE_SVG, architecturePlot],
  [ALGORITHMS_SVG, algorithmsPlot],
  [BURST_SVG, burstPlot],
  [PEERS_SVG, () => peersPlot(peers())],
];

export async function drawAll(): Promise<void> {
  for (const [url, draw] of PICTURES) writeFileSync(url, await draw());
}
