// Tests of roost.js without a network and without waiting: node --test client/js/*.test.mjs (Node 18 or later).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { RoostSocket } from './roost.js';
import { count, define, FakeSocket, latest, listening, make, name, settle, tick, timers } from './fake.mjs';

test('it is a WebSocket', () => {
  const { socket, events } = make({}, 'wss://test', ['v1', 'v2']);
  assert.deepEqual([socket.CONNECTING, socket.OPEN, socket.CLOSING, socket.CLOSED], [0, 1, 2, 3]);
  assert.deepEqual([RoostSocket.CONNECTING, RoostSocket.OPEN, RoostSocket.CLOSING, RoostSocket.CLOSED], [0, 1, 2, 3]);
  assert.deepEqual(latest().protocols, ['v1', 'v2']);
  assert.equal(socket.readyState, 0);
  assert.equal(socket.url, 'wss://test/');
  assert.equal(socket.protocol, '');
  latest().opens('v2');
  assert.equal(socket.readyState, 1);
  assert.equal(socket.protocol, 'v2');
  assert.equal(socket.extensions, 'x');
  socket.send('there');
  assert.deepEqual(latest().sent, ['there']);
  latest().bufferedAmount = 7;
  assert.equal(socket.bufferedAmount, 7);
  let from;
  socket.addEventListener('message', ({ origin, target }) => { from = [origin, target]; });
  latest().says('back');
  assert.deepEqual(from, ['wss://test', socket]);
  socket.close(4000, 'enough');
  assert.deepEqual(latest().closed, [4000, 'enough']);
  assert.equal(socket.readyState, 2);
  socket.send('dropped');
  latest().ends(4000, 'enough');
  assert.equal(socket.readyState, 3);
  assert.deepEqual([socket.protocol, socket.extensions, socket.bufferedAmount, socket.url], ['', '', 0, 'wss://test/']);
  assert.deepEqual(events, ['open', 'back', 'close 4000 3']);
  assert.deepEqual(latest().sent, ['there']);
  assert.equal(timers.size, 0);
  assert.deepEqual(listening, []);
});

test('it has the global WebSocket, or one that it is given, and no need of a page', () => {
  for (const gone of ['addEventListener', 'removeEventListener', 'document', 'navigator', 'WebSocket']) define(gone, undefined);
  const { socket } = make({ WebSocket: FakeSocket });
  latest().ends();
  assert.equal(socket.retryAt, 1_000_500);
  socket.close();
});

test('close without a code', () => {
  const { socket } = make();
  latest().opens();
  socket.close();
  socket.close(1000);
  assert.deepEqual(latest().closed, []);
});

test('close checks as the browser does', () => {
  const { socket } = make();
  for (const code of [0, 999, 1001, 1005, 2999, 5000, NaN]) assert.throws(() => socket.close(code), name('InvalidAccessError'));
  assert.throws(() => socket.close(1000, 'ä'.repeat(62)), name('SyntaxError'));
  assert.equal(socket.readyState, 0);
  socket.close(3000, 'x'.repeat(123));
  assert.deepEqual(latest().closed, [3000, 'x'.repeat(123)]);
});

test('a malformed URL is told to the caller of the constructor', () => {
  FakeSocket.malformed = true;
  assert.throws(() => new RoostSocket('nonsense'), name('SyntaxError'));
  assert.equal(timers.size, 0);
});

test('onopen and so on', () => {
  const { socket } = make();
  const seen = [];
  for (const type of ['open', 'message', 'error', 'close']) {
    assert.equal(socket[`on${type}`], null);
    socket[`on${type}`] = () => seen.push('replaced');
    const f = function (event) { seen.push(`${event.type} ${this === socket}`); };
    socket[`on${type}`] = f;
    assert.equal(socket[`on${type}`], f);
  }
  latest().opens();
  latest().says('x');
  latest().ends();
  assert.deepEqual(seen, ['open true', 'message true', 'error true', 'close true']);
  socket.onclose = 'not a function';
  assert.equal(socket.onclose, null);
  socket.close();
});

test('binaryType goes to each connection', () => {
  const { socket } = make();
  assert.equal(socket.binaryType, 'blob');
  socket.binaryType = 'arraybuffer';
  socket.binaryType = 'nonsense';
  assert.equal(socket.binaryType, 'arraybuffer');
  assert.equal(latest().binaryType, 'arraybuffer');
  latest().ends();
  tick(500);
  assert.equal(latest().binaryType, 'arraybuffer');
  latest().ends();
  socket.binaryType = 'blob'; // while there is none
  tick(1000);
  assert.equal(latest().binaryType, 'blob');
});

test('send throws while there is no connection', () => {
  const { socket } = make();
  assert.throws(() => socket.send('x'), name('InvalidStateError'));
  latest().opens();
  latest().ends();
  assert.throws(() => socket.send('x'), name('InvalidStateError'));
  assert.equal(socket.bufferedAmount, 0);
});

test('maxQueued keeps messages, to the byte', async () => {
  const { socket, events } = make({ maxQueued: 20 });
  const bytes = new Uint8Array([1, 2, 3, 4]);
  const view = new DataView(bytes.buffer, 2, 2);
  socket.send('äb'); // 3 bytes
  socket.send(bytes);
  socket.send(bytes.buffer);
  socket.send(view);
  socket.send(new Blob(['abcd']));
  socket.send(123);
  assert.equal(socket.bufferedAmount, 20);
  assert.throws(() => socket.send('x'), name('QuotaExceededError'));
  socket.send('');
  bytes.fill(9); // the browser would have copied
  latest().opens();
  const { sent } = latest();
  assert.equal(sent[0], 'äb');
  assert.deepEqual([...sent[1]], [1, 2, 3, 4]);
  assert.deepEqual([...new Uint8Array(sent[2])], [1, 2, 3, 4]);
  assert.deepEqual([...sent[3]], [3, 4]);
  assert.equal(await sent[4].text(), 'abcd');
  assert.equal(sent[5], 123);
  assert.equal(sent[6], '');
  assert.equal(socket.bufferedAmount, 0);
  assert.deepEqual(events, ['open']);
});

test('resubscribe goes before the queue, and that before open', () => {
  const agains = [];
  const { socket } = make({ maxQueued: 100, resubscribe: (send, again) => { agains.push(again); send('subscribe'); } });
  socket.onopen = () => socket.send('of the handler');
  socket.send('of the queue');
  latest().opens();
  assert.deepEqual(latest().sent, ['subscribe', 'of the queue', 'of the handler']);
  latest().ends();
  socket.send('queued');
  tick(500);
  latest().opens();
  assert.deepEqual(latest().sent, ['subscribe', 'queued', 'of the handler']);
  assert.deepEqual(agains, [false, true]);
});

test('resubscribe may wait for answers', async () => {
  let socket;
  const welcome = () => new Promise((resolve) => socket.addEventListener('message', resolve, { once: true }));
  const made = make({ maxQueued: 100, resubscribe: async (send) => { send('token'); await welcome(); send('subscribe'); } });
  socket = made.socket;
  latest().opens();
  assert.equal(socket.readyState, 0);
  socket.send('queued');
  latest().says('welcome');
  await settle();
  assert.deepEqual(latest().sent, ['token', 'subscribe', 'queued']);
  assert.deepEqual(made.events, ['welcome', 'open']);
});

test('a resubscribe that fails costs the connection', async () => {
  const fail = () => { throw new Error('no'); };
  for (const resubscribe of [fail, async () => fail()]) {
    const { socket, events } = make({ resubscribe });
    latest().opens();
    await settle();
    assert.deepEqual(events, ['error', 'close 1006 0']);
    assert.deepEqual(latest().closed, []);
    assert.equal(socket.retryAt, Date.now() + 500);
    socket.close();
    await settle();
  }
});

test('a resubscribe that never ends is given up, and what it does later means nothing', async () => {
  for (const end of ['resolve', 'reject']) {
    const ends = {};
    let calls = 0;
    const { socket, events } = make({ resubscribe: () => calls++ ? undefined : new Promise((resolve, reject) => Object.assign(ends, { resolve, reject })) });
    latest().opens();
    tick(10_000);
    assert.deepEqual(events, ['error', 'close 1006 0']);
    tick(500);
    ends[end]();
    await settle();
    assert.equal(socket.readyState, 0);
    latest().opens();
    assert.deepEqual(events.slice(2), ['connecting', 'open']);
    socket.close();
    latest().ends();
  }
});

test('close during resubscribe', async () => {
  for (const failing of [false, true]) {
    let end;
    const { socket, events } = make({ resubscribe: () => new Promise((resolve, reject) => { end = failing ? reject : resolve; }) });
    latest().opens();
    socket.close();
    end();
    await settle();
    assert.equal(socket.readyState, 2);
    latest().ends(1005);
    assert.deepEqual(events, ['close 1005 3']);
  }
  const { socket, events } = make({ resubscribe: () => socket.close() });
  latest().opens();
  assert.equal(socket.readyState, 2);
  assert.deepEqual(events, []);
});

test('close while it waits', async () => {
  const { socket, events } = make({ maxQueued: 10 });
  latest().ends();
  socket.send('x');
  socket.close();
  assert.equal(socket.readyState, 2);
  assert.equal(timers.size, 0);
  await settle();
  assert.deepEqual(events, ['error', 'close 1006 0', 'close 1006 3']);
  assert.equal(socket.bufferedAmount, 0);
  for (const type of ['online', 'offline']) globalThis.dispatchEvent(new Event(type));
  document.dispatchEvent(new Event('visibilitychange'));
  assert.equal(count(), 1);
});

test('close in the handlers', async () => {
  for (const type of ['connecting', 'error', 'close', 'open']) {
    const before = count();
    const { socket, events } = make({ resubscribe: type === 'error' ? () => { throw new Error('no'); } : undefined });
    socket.addEventListener(type, () => socket.close());
    latest().opens();
    if (type !== 'error' && type !== 'open') latest().ends();
    tick(500);
    await settle();
    if (type === 'open') latest().ends(1005);
    assert.equal(socket.readyState, 3, type);
    assert.equal(count(), before + 1, type);
    assert.equal(timers.size, 0);
    assert.match(events.at(-1), /^close \d+ 3$/);
    assert.equal(events.filter((e) => e.endsWith(' 3')).length, 1, type);
  }
});

test('a function brings the URL of each try', async () => {
  let n = 0;
  const { socket } = make({}, () => `wss://test/?token=${++n}`);
  assert.equal(socket.url, '');
  await settle();
  assert.equal(socket.url, 'wss://test/?token=1');
  latest().ends();
  tick(500);
  await settle();
  assert.equal(socket.url, 'wss://test/?token=2');
});

test('a function may fail, or take too long', async () => {
  const answers = [() => { throw new Error('no'); }, () => Promise.reject(new Error('no')), () => 'no URL', () => new Promise((resolve) => { answers.late = resolve; }), () => 'wss://test/5'];
  const { socket, events } = make({}, () => answers.shift()());
  for (const wait of [500, 1000, 2000]) {
    await settle();
    assert.equal(socket.retryAt, Date.now() + wait);
    tick(wait);
  }
  await settle();
  assert.equal(socket.retryAt, 0);
  tick(10_000);
  assert.equal(socket.retryAt, Date.now() + 4000);
  answers.late('wss://test/late');
  await settle();
  assert.equal(count(), 0);
  tick(4000);
  await settle();
  assert.equal(socket.url, 'wss://test/5');
  assert.equal(events.filter((e) => e === 'close 1006 0').length, 4);
});

test('close while a function looks for the URL', async () => {
  let found;
  const { socket, events } = make({}, () => new Promise((resolve) => { found = resolve; }));
  await settle();
  socket.close();
  found('wss://test/');
  await settle();
  assert.equal(count(), 0);
  assert.deepEqual(events, ['close 1006 3']);
});

