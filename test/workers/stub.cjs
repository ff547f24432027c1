// A worker that serves nothing, and does what its first argument says.
const [, , word] = process.argv;

process.on('message', ({ kind }) => {
  if (kind === 'ping') process.send({ kind: 'here' });
  else if (kind === 'drain' && word !== 'stay') process.exit(0);
});
process.send({ kind: 'serves', addresses: {} }, () => {
  if (word === 'crash') setTimeout(() => process.exit(7), 200);
  else if (word === 'hang') for (;;);
});
