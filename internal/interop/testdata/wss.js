// Plays the clients that wss_clients_test.go expects over TLS, with the module ws. It says what was agreed on. Arguments: the
// server's address, the file of the authority, a version of TLS, and what to offer of compression: nothing, default or small (windows of 512
// bytes).
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const {once} = require('events');
const WebSocket = require('ws');

const [addr, ca, version, offer] = process.argv.slice(2);
const url = `wss://${addr}/path?query`;
const options = {
  ca: fs.readFileSync(ca), minVersion: `TLSv${version}`, maxVersion: `TLSv${version}`,
  perMessageDeflate: {nothing: false, default: {threshold: 0}, small: {threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 9}}[offer],
};
const noise = crypto.createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(1 << 16));
let text = '';
for (let i = 0; i < 1 << 13; i++) text += `{"symbol":"EURUSD","bid":1.08${i % 100},"name":"\u20ac\u2603"}`; // no surrogates: it is cut anywhere
const sizes = [0, 1, 2, 125, 126, 127, 255, 256, 1023, 1024, 4096, 16355, 16384, 16385, 32768, 65535, 65536, 200000];
let payload = 0;

// inbox collects what comes, so that none is lost between two awaits.
function inbox(ws) {
  const come = [];
  let wake = null;
  ws.on('message', (data, binary) => {
    come.push(binary ? data : data.toString());
    if (wake) wake();
  });
  return async () => {
    while (!come.length) await new Promise((resolve) => { wake = resolve; });
    return come.shift();
  };
}

async function echo(ws, next, message) {
  ws.send(message);
  assert.deepStrictEqual(await next(), message);
  // The same in fragments of all lengths, with a ping in the middle.
  const n = message.length;
  const ends = [0, Math.min(1, n), ...[1, 2, 3, 4, 5, 6].map((i) => Math.floor(n * i / 7)), n].sort((a, b) => a - b);
  ends.slice(1).forEach((end, i) => {
    ws.send(message.slice(ends[i], end), {fin: false});
    if (i === 3) ws.ping('between');
  });
  ws.send(message.slice(n), {fin: true});
  assert.deepStrictEqual(await next(), message);
  payload += 2 * Buffer.byteLength(message);
}

async function main() {
  let ws = new WebSocket(url, options);
  let next = inbox(ws);
  await once(ws, 'open');
  const tls = ws._socket;
  assert.strictEqual(tls.authorized, true);
  const seen = {version: tls.getProtocol(), cipher: tls.getCipher().standardName, compressed: ws.extensions !== ''};
  if (seen.compressed) {
    const agreed = ws._extensions['permessage-deflate'].params;
    seen.takeover = !agreed.server_no_context_takeover && !agreed.client_no_context_takeover;
    seen.window = Math.max(agreed.server_max_window_bits || 15, agreed.client_max_window_bits || 15);
  }
  for (const size of sizes) {
    await echo(ws, next, text.slice(0, size / 2));
    await echo(ws, next, Buffer.alloc(size));
    await echo(ws, next, Buffer.from(text).subarray(0, size));
    if (size <= 65536) await echo(ws, next, noise.subarray(0, size)); // what cannot be compressed
  }
  for (let i = 0; i < 1000; i++) ws.send(`message ${i} of many that are alike`);
  for (let i = 0; i < 1000; i++) assert.strictEqual(await next(), `message ${i} of many that are alike`);
  const session = tls.getSession();
  ws.close(4001, 'going');
  let [code, reason] = await once(ws, 'close');
  assert.deepStrictEqual([code, reason.toString()], [4001, 'going']);

  ws = new WebSocket(url, {...options, session});
  await once(ws, 'open');
  seen.resumed = ws._socket.isSessionReused();
  ws.send('close 4000 enough');
  [code, reason] = await once(ws, 'close');
  assert.deepStrictEqual([code, reason.toString()], [4000, 'enough']);
  console.log(JSON.stringify({...seen, payload}));
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
