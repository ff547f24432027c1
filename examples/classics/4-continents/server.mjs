import { createPool } from 'mysql2/promise';
import { connect } from 'weir-ratelimit-client';
import { app } from './app.mjs';

const { WEIR = '', WEIR_TIMEOUT_MS = '500', DATABASE_URL = '', ON_FAILURE = 'allow', PORT = '3000' } = process.env;
const weir = connect(WEIR, { timeoutMs: Number(WEIR_TIMEOUT_MS) });
const database = createPool({ uri: DATABASE_URL, connectTimeout: 2_000 });
const server = app({ weir, database, onFailure: ON_FAILURE }).listen(Number(PORT), '127.0.0.1', (error) => {
  if (error) {
    console.error(`${error.message}; with PORT=... it listens elsewhere`);
    process.exit(1);
  }
  console.log(`try: curl -i -H 'Authorization: Bearer demo-token' http://127.0.0.1:${PORT}/continents`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close(() => {
      weir.close();
      // Ctrl-C in a terminal ends MariaDB too, and there may be no connection left to take leave on.
      database.end().catch(() => {});
    });
    server.closeAllConnections();
  });
}
