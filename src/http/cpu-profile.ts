import { type Profiler, Session } from 'node:inspector';
import { setTimeout as wait } from 'node:timers/promises';

/** What V8 saw for so long, or until `signal`: the text of a .cpuprofile, which Chrome's DevTools open. */
export async function cpuProfile(lengthMs: number, signal: AbortSignal): Promise<string> {
  const session = new Session();
  session.connect();
  try {
    await post<void>(session, 'Profiler.enable');
    await post<void>(session, 'Profiler.start');
    await wait(lengthMs, undefined, { signal }).catch(() => {});
    const { profile } = await post<Profiler.StopReturnType>(session, 'Profiler.stop');
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}

function post<T>(session: Session, method: string): Promise<T> {
  return new Promise((resolve, reject) => {
    session.post(method, (error, result) => {
      if (error === null) resolve(result as T);
      else reject(error);
    });
  });
}
