// A server that load_others_test.go starts, with the module ws. It says what roost load has done to it.
// Arguments: echo or broadcast, milliseconds between two pings (0: none), and for TLS the files of a certificate and of its key.
// DEFLATE=1 in the environment has it compress for clients that offer it.
'use strict';
const fs = require('fs');
const http = require('http');
const https = require('https');
const {WebSocketServer, WebSocket} = require('ws');

const [mode, pause, cert, key] = process.argv.slice(2);
const counts = {opened: 0, clean: 0, received: 0, received_bytes: 0, sent: 0, sent_bytes: 0, pongs: 0};

function send(ws, data, binary) {
  if (ws.readyState !== WebSocket.OPEN) return;
  ws.send(data, {binary});
  counts.sent++;
  counts.sent_bytes += data.length;
}

function broadcast(data, binary) {
  for (const ws of wss.clients) send(ws, data, binary);
}

let posts = 0;

// A message that is posted is published too. Every other one takes its time, so that the next overtakes it.
function page(request, response) {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => setTimeout(() => {
    broadcast(Buffer.concat(parts), !request.headers['content-type'].startsWith('text/'));
    response.writeHead(204).end();
  }, posts++ % 2 * 50));
}

const server = cert ? https.createServer({cert: fs.readFileSync(cert), key: fs.readFileSync(key)}, page) : http.createServer(page);
const wss = new WebSocketServer({server, perMessageDeflate: process.env.DEFLATE === '1'});

wss.on('connection', (ws) => {
  counts.opened++;
  const ticker = Number(pause) && setInterval(() => ws.ping(), Number(pause));
  ws.on('pong', () => counts.pongs++);
  ws.on('message', (data, binary) => {
    counts.received++;
    counts.received_bytes += data.length;
    if (mode === 'broadcast') broadcast(data, binary);
    else send(ws, data, binary);
  });
  ws.on('error', (e) => console.error(e.message));
  ws.on('close', (code) => {
    clearInterval(ticker);
    if (code === 1000) counts.clean++;
    finish();
  });
});

let asked = false;

// finish says what happened once it was asked to and nobody is left.
function finish() {
  if (!asked || wss.clients.size > 0) return;
  console.log(JSON.stringify(counts));
  process.exit(0);
}

process.stdin.on('end', () => {
  asked = true;
  finish();
});
process.stdin.resume();
server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
