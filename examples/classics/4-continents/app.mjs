import { createHash } from 'node:crypto';
import express from 'express';
import { rateLimit } from 'weir-ratelimit-client/express';

/**
 * The continents, for those who have a token, 5 times in 60 seconds. `weir`: a client of weir; `database`: a pool of mysql2;
 * `onFailure`: what comes of a request that nobody can count, `allow` or `deny` (503).
 */
export function app({ weir, database, onFailure }) {
  const api = express();
  api.disable('x-powered-by');
  // First the limit, so that guessing tokens does not reach the database for free.
  api.use(rateLimit(weir, { domain: 'continents', descriptors: limitedBy, onFailure }));

  api.use(async (request, response, next) => {
    const hash = createHash('sha256').update(tokenOf(request)).digest();
    const [[customer]] = await database.execute('SELECT name FROM customers WHERE token_sha256 = ?', [hash]);
    if (customer) return next();
    response.status(401).set('WWW-Authenticate', 'Bearer').json({ error: 'unauthorized' });
  });

  api.get('/continents', async (_request, response) => {
    const [continents] = await database.execute('SELECT code, name FROM continents ORDER BY code');
    response.json({ continents });
  });

  // Four parameters are what Express knows an error handler by.
  api.use((_error, _request, response, _next) => {
    response.status(503).set('Retry-After', '1').json({ error: 'unavailable', message: 'Try again in a second.' });
  });
  return api;
}

function limitedBy(request) {
  const address = { remote_address: request.socket.remoteAddress ?? '' };
  const token = tokenOf(request);
  return token === '' ? [address] : [{ authorization: token }, address];
}

/** The token alone: `Bearer x`, `bearer  x` and `BEARER x` are one credential, and must not have three counters. */
function tokenOf({ headers: { authorization = '' } }) {
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '';
}
