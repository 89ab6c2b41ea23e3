// A server of Node's: as it is, it dies on TERM; "graceful" closes on TERM; "cluster" has two workers that do.
const cluster = require('cluster');
const http = require('http');

const server = http.createServer((request, response) => {
  const answer = () => response.end(process.env.KEY);
  request.url === '/slow' ? setTimeout(answer, 2000) : answer();
});

function close() {
  server.close(() => process.exit(0));
  if (server.closeIdleConnections) server.closeIdleConnections();
}

const mode = process.argv[2];
if (mode === 'cluster' && !cluster.isWorker) {
  cluster.fork();
  cluster.fork();
  process.on('SIGTERM', () => cluster.disconnect());
} else {
  server.listen(8000);
  if (mode === 'graceful') process.on('SIGTERM', close);
}
