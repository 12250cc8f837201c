// Plays the clients that client_test.go expects, with the module ws. Its only argument is the server's address.
'use strict';
const assert = require('assert');
const {once} = require('events');
const WebSocket = require('ws');

const addr = process.argv[2];
const url = `ws://${addr}/path?query`;

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

async function echoes(ws, next) {
  const texts = ['', 'hello', 'h\u00e9llo \u2603 \u{1f600}', 'x'.repeat(125), 'x'.repeat(126), 'x'.repeat(65535), 'x'.repeat(65536), '\u2603'.repeat(300000)];
  for (const message of [...texts, Buffer.from([...Array(256).keys()]), Buffer.alloc(0), Buffer.alloc(1000000, 0xff)]) {
    ws.send(message);
    assert.deepStrictEqual(await next(), message);
  }
  ws.send('in ', {fin: false});
  ws.ping('between');
  ws.send('frag', {fin: false});
  ws.send('ments', {fin: true});
  assert.strictEqual(await next(), 'in fragments');
  for (let i = 0; i < 1000; i++) ws.send(String(i));
  for (let i = 0; i < 1000; i++) assert.strictEqual(await next(), String(i));
}

async function main() {
  let ws = new WebSocket(url, ['v1.roost', 'v2.roost'], {origin: `http://${addr}`});
  const next = inbox(ws);
  await once(ws, 'open');
  assert.strictEqual(ws.protocol, 'v2.roost');
  assert.strictEqual(ws.extensions, '');
  const pong = once(ws, 'pong');
  await echoes(ws, next);
  assert.strictEqual((await pong)[0].toString(), 'between');
  await once(ws, 'ping'); // the server's heartbeat, which ws answers
  ws.close(4001, 'going');
  assert.strictEqual(ws.readyState, WebSocket.CLOSING);
  let [code, reason] = await once(ws, 'close');
  assert.deepStrictEqual([code, reason.toString()], [4001, 'going']);

  ws = new WebSocket(url);
  await once(ws, 'open');
  ws.send('close 4000 enough');
  [code, reason] = await once(ws, 'close');
  assert.deepStrictEqual([code, reason.toString()], [4000, 'enough']);

  ws = new WebSocket(url);
  await once(ws, 'open');
  ws.send(Buffer.alloc((2 << 20) + 1));
  [code] = await once(ws, 'close');
  assert.strictEqual(code, 1009);

  ws = new WebSocket(url, {origin: 'http://elsewhere.example'});
  const [, response] = await once(ws, 'unexpected-response');
  assert.strictEqual(response.statusCode, 403);
  response.resume();
  await once(response, 'end');
  console.log('ws', require('ws/package.json').version, 'node', process.version);
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
