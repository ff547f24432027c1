// A worker that serves nothing, and does what its first argument says.
const [, , word] = process.argv;
const HITS = { name: 'hits', help: 'h', type: 'counter', aggregator: 'sum', series: [''], values: [7] };

process.on('message', ({ kind, of }) => {
  if (kind === 'report') process.send({ kind: 'report', of, report: { metrics: [HITS] } });
  else if (kind === 'drain' && word !== 'stay') process.exit(0);
});

function hang() {
  for (;;);
}

if (word === 'hang at once') hang();
else if (word === 'hang on the way') process.send({ kind: 'here' }, hang);
else {
  process.send({ kind: 'serves', addresses: {} }, () => {
    if (word === 'crash') setTimeout(() => process.exit(7), 200);
    else if (word === 'hang') hang();
  });
}
