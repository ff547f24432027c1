// What most tutorials show. Don't copy it: see README.md.
import express from 'express';
import { Redis } from 'ioredis';
import { createPool } from 'mysql2/promise';

const redis = new Redis(process.env.REDIS_URL);
const database = createPool({ uri: process.env.DATABASE_URL });
const api = express();

api.get('/continents', async (request, response) => {
  // Whoever can read Redis, its backups or its slow log has everybody's token now.
  const key = request.headers.authorization;
  const count = await redis.incr(key);
  if (count === 1) await redis.expire(key, 60);
  if (count > 5) {
    return response.status(429).json({ error: `Too many requests. Try again in ${await redis.ttl(key)} seconds.` });
  }
  const [continents] = await database.query('SELECT code, name FROM continents ORDER BY code');
  response.json({ continents });
});

const { PORT = '3000' } = process.env;
api.listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${PORT}/continents`));
