// A WebSocket server with Bun.serve, JavaScript on Bun's fork of uWebSockets (which is in
// C++), after Bun's documentation ("WebSockets": "Publish-subscribe", "Backpressure", "Timeouts and
// limits").
//
// In its favour: no compression (the default, said anyway), the messages of one turn
// are corked by Bun itself, and a broadcast is a topic's publication in C++. A client
// with more than 1 MiB buffered is closed in a broadcast; in the other modes the bound
// is Bun's default of 16 MiB, so that a large message may be on its way.
import { parseArgs } from 'node:util';

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

const handlers = {
  echo(ws, message) {
    ws.send(message);
  },

  async slow(ws, message) {
    const first = typeof message === 'string' ? message.charCodeAt(0) : message[0];
    if (first === 's'.charCodeAt(0)) await Bun.sleep(5);
    ws.send(message);
  },

  broadcast(_, message) {
    server.publish('everyone', message);
  },
};

if (!(mode in handlers)) fail(2, `--mode is echo, broadcast or slow, not "${mode}"`);

const server = listen();

function listen() {
  try {
    return Bun.serve({
      hostname: addr.slice(0, addr.lastIndexOf(':')),
      port: Number(addr.slice(addr.lastIndexOf(':') + 1)),
      tls: tls && { cert: Bun.file(`${tls}/cert.pem`), key: Bun.file(`${tls}/key.pem`) },
      fetch(request, server) {
        if (!server.upgrade(request)) return new Response('a WebSocket is expected', { status: 426 });
      },
      websocket: {
        perMessageDeflate: false,
        maxPayloadLength: maxMessage,
        idleTimeout: 0,
        sendPings: false,
        backpressureLimit: mode === 'broadcast' ? maxUnsent : 16 << 20,
        closeOnBackpressureLimit: true,
        open(ws) {
          if (mode === 'broadcast') ws.subscribe('everyone');
        },
        message: handlers[mode],
      },
    });
  } catch (error) {
    fail(1, error.message);
  }
}

function fail(status, sentence) {
  console.error(`bun: ${sentence}`);
  process.exit(status);
}
