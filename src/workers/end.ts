import type { Worker } from 'node:cluster';

type ClusterMessage = { readonly seq?: number; readonly ack?: number };

/**
 * Resolves with how a worker ended, when its last words are in.
 *
 * Node (20 and 24) forgets one that ends before it has taken a connection it was handed: `disconnect` is never told, without
 * which node:cluster may go on counting on it, and nobody closes the connection, whose client would wait for ever.
 */
export function endOf(worker: Worker): Promise<string> {
  const { process: of } = worker;
  const letGo = untaken(of);
  return new Promise((resolve) => {
    of.once('close', (code: number | null, signal: NodeJS.Signals | null) => {
      worker.disconnect();
      letGo();
      resolve(signal ?? `exit code ${code}`);
    });
    worker.on('error', (error) => {
      // Without a process there is no end to wait for.
      if (of.pid === undefined) resolve(error.message);
    });
  });
}

/**
 * Follows the connections that a process is handed; answers how to close those it has not taken. Nothing documented tells
 * which they are, or closes them, so that this speaks node:cluster's own words.
 */
function untaken(of: Worker['process']): () => void {
  const onTheirWay = new Set<number>();
  const send = of.send.bind(of) as (...all: unknown[]) => boolean;
  of.send = (message: ClusterMessage, handle?: unknown, ...others: unknown[]) => {
    if (handle !== undefined && message.seq !== undefined) onTheirWay.add(message.seq);
    return send(message, handle, ...others);
  };
  of.on('internalMessage', ({ ack }: ClusterMessage) => {
    if (ack !== undefined) onTheirWay.delete(ack);
  });
  return () => {
    // Who has taken a connection answers so, and the primary's hold of it is closed.
    for (const ack of [...onTheirWay]) of.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack, accepted: true });
  };
}
