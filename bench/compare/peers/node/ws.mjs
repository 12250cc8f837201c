// A WebSocket server with npm's ws (github.com/websockets/ws), after its README
// ("Server broadcast", "Multiple servers", "Legacy opt-in for performance") and
// doc/ws.md.
//
// In its favour: no compression (the default, said anyway), and bufferutil, the native
// masking that the README recommends for a Node.js older than 26.12, is installed
// beside it. A broadcast is the README's loop over the clients; ws has no prepared
// messages, but sends a server's payload without copying it. A client with more than
// 1 MiB buffered is terminated.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { WebSocket, WebSocketServer } from 'ws';

const maxMessage = 4 << 20;
const maxUnsent = 1 << 20;

process.on('SIGTERM', () => process.exit(0));
process.on('SIGINT', () => process.exit(0));

const { addr, mode, tls } = parseArgs({
  options: {
    addr: { type: 'string', default: '127.0.0.1:8080' },
    mode: { type: 'string', default: 'echo' },
    tls: { type: 'string' },
  },
}).values;

const at = {
  host: addr.slice(0, addr.lastIndexOf(':')),
  port: Number(addr.slice(addr.lastIndexOf(':') + 1)),
  backlog: 4096,
};

const server = new WebSocketServer({
  ...(tls ? { server: secure() } : at),
  maxPayload: maxMessage,
  perMessageDeflate: false,
});

// The README's "External HTTP/S server".
function secure() {
  const cert = readFileSync(`${tls}/cert.pem`);
  const key = readFileSync(`${tls}/key.pem`);
  return createServer({ cert, key }).listen(at);
}

const handlers = {
  echo(ws, message, isBinary) {
    ws.send(message, { binary: isBinary });
  },

  async slow(ws, message, isBinary) {
    if (message[0] === 's'.charCodeAt(0)) await sleep(6); // a timer may fire 1 ms early, and 5 are due
    ws.send(message, { binary: isBinary });
  },

  broadcast(_, message, isBinary) {
    for (const client of server.clients) {
      if (client.readyState !== WebSocket.OPEN) continue;
      if (client.bufferedAmount > maxUnsent) client.terminate();
      else client.send(message, { binary: isBinary });
    }
  },
};

const handle = handlers[mode];
if (!handle) fail(2, `--mode is echo, broadcast or slow, not "${mode}"`);

server.on('connection', (ws) => {
  ws.on('error', () => {}); // ws closes the connection
  ws.on('message', (message, isBinary) => handle(ws, message, isBinary));
});
server.on('error', (error) => fail(1, error.message));

function fail(status, sentence) {
  console.error(`ws: ${sentence}`);
  process.exit(status);
}
