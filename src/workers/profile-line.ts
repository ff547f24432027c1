import { Readable } from 'node:stream';
import type { ToPrimary, ToWorker } from './messages.ts';
import type { PrimaryLink } from './primary-link.ts';

export type ProfileKind = 'cpu' | 'heap';
type Piece = Extract<ToPrimary, { readonly kind: 'profile' }>;

/** The profile as it is made; destroyed when nobody wants it any more. `lengthMs` is of `cpu`. */
export type MakeProfile = (of: ProfileKind, lengthMs: number) => Readable;

/** The primary's end: profiles of one worker, one at a time, of which a piece is sent when it is read. */
export interface ProfileLine {
  readonly make: MakeProfile;
  heard(message: Piece): void;
  /** One is being made and awaited. */
  runs(): boolean;
  /** The worker has ended. */
  end(): void;
}

export function profileLine(send: (message: ToWorker) => void): ProfileLine {
  let id = 0;
  let profile: Readable | null = null;
  return {
    make(of, lengthMs) {
      profile?.destroy();
      const its = ++id;
      send({ kind: 'profile', id: its, of, lengthMs });
      profile = new Readable({
        read: () => send({ kind: 'profile more', id: its }),
        destroy(error, done) {
          send({ kind: 'profile over', id: its });
          done(error);
        },
      });
      // It may fail before anybody reads it.
      return profile.on('error', () => {});
    },
    heard({ id: its, piece }) {
      if (its !== id || profile === null || profile.destroyed) return;
      if (piece === 'failed') profile.destroy(new Error('the worker made none'));
      else profile.push(piece);
    },
    runs: () => profile !== null && !profile.destroyed,
    end: () => void profile?.destroy(new Error('the worker has ended')),
  };
}

/** The worker's end. */
export function profiled({ on, send }: PrimaryLink, make: MakeProfile): void {
  let running: { readonly id: number; readonly profile: Readable; readonly pieces: AsyncIterator<Uint8Array> } | null =
    null;

  function end(): void {
    running?.profile.destroy();
    running = null;
  }

  on('profile', ({ id, of, lengthMs }) => {
    end();
    const profile = make(of, lengthMs).on('error', () => {});
    running = { id, profile, pieces: profile[Symbol.asyncIterator]() };
  });
  on('profile more', ({ id }) => {
    if (running?.id !== id) return;
    void running.pieces.next().then(
      ({ value, done }) => send({ kind: 'profile', id, piece: done === true ? null : value }),
      () => send({ kind: 'profile', id, piece: 'failed' }),
    );
  });
  on('profile over', ({ id }) => {
    if (running?.id === id) end();
  });
}
