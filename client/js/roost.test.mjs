// Tests of roost.js without a network and without waiting: node --test client/js (Node 18 or later).
import { afterEach, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { RoostSocket } from './roost.js';

// The clock: timers run when tick says so. late makes those that are due run after that many ms.
let now;
let timers;
let listening; // types and listeners of the page and the document
const saved = {};
const absent = {};

function tick(ms, late = 0) {
  const end = now + ms;
  for (;;) {
    const next = [...timers.values()].filter(({ at }) => at + late <= end).sort((a, b) => a.at - b.at)[0];
    if (!next) break;
    now = Math.max(now, next.at + late);
    timers.delete(next.id);
    next.f();
  }
  now = end;
}

// settle lets promises have their turn.
const settle = async () => { for (let i = 0; i < 10; i++) await null; };

// FakeSocket is the browser's WebSocket, and its server the test.
class FakeSocket {
  static all = [];
  static malformed = false;
  readyState = 0;
  protocol = '';
  extensions = '';
  bufferedAmount = 0;
  binaryType = 'blob';
  sent = [];
  closed = null;

  constructor(url, protocols) {
    if (FakeSocket.malformed) throw new DOMException('malformed', 'SyntaxError');
    this.url = new URL(url).href;
    this.protocols = protocols;
    FakeSocket.all.push(this);
  }

  send(data) { this.sent.push(data); }
  close(...how) { this.closed = how; this.readyState = 2; }

  // What the server and the network do.
  opens(protocol = '') { this.readyState = 1; this.protocol = protocol; this.extensions = 'x'; this.onopen(new Event('open')); }
  says(data) { this.onmessage(new MessageEvent('message', { data, origin: 'wss://test' })); }
  ends(code = 1006, reason = '') {
    this.readyState = 3;
    if (code === 1006) this.onerror(new Event('error'));
    this.onclose({ code, reason, wasClean: code !== 1006 });
  }
}

const latest = () => FakeSocket.all.at(-1);
const count = () => FakeSocket.all.length;

function define(name, value) {
  saved[name] ??= Object.getOwnPropertyDescriptor(globalThis, name) ?? absent;
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

// tracked notes who listens to a target.
function tracked(target) {
  return {
    addEventListener: (type, f) => { listening.push([type, f]); target.addEventListener(type, f); },
    removeEventListener: (type, f) => { listening = listening.filter(([t, g]) => t !== type || g !== f); target.removeEventListener(type, f); },
    dispatchEvent: (event) => target.dispatchEvent(event),
  };
}

beforeEach(() => {
  now = 0;
  timers = new Map();
  let ids = 0;
  FakeSocket.all = [];
  FakeSocket.malformed = false;
  define('setTimeout', (f, ms) => { timers.set(++ids, { id: ids, f, at: now + ms }); return ids; });
  define('clearTimeout', (id) => timers.delete(id));
  define('performance', { now: () => now });
  define('WebSocket', FakeSocket);
  listening = [];
  const page = tracked(new EventTarget());
  for (const f of ['addEventListener', 'removeEventListener', 'dispatchEvent']) define(f, page[f]);
  define('document', Object.assign(tracked(new EventTarget()), { hidden: false }));
  define('navigator', { onLine: true });
  saved.random = Math.random;
  saved.dateNow = Date.now;
  Math.random = () => 1; // every wait is as long as it can be
  Date.now = () => 1_000_000 + now;
});

afterEach(() => {
  Math.random = saved.random;
  Date.now = saved.dateNow;
  for (const [name, before] of Object.entries(saved)) {
    if (name === 'random' || name === 'dateNow') continue;
    if (before === absent) delete globalThis[name];
    else Object.defineProperty(globalThis, name, before);
    delete saved[name];
  }
});

// record notes the events of a socket in short.
function record(socket) {
  const events = [];
  for (const type of ['connecting', 'open', 'message', 'error', 'close']) {
    socket.addEventListener(type, (e) => {
      events.push(type === 'message' ? e.data : type === 'close' ? `close ${e.code} ${socket.readyState}` : type);
    });
  }
  return events;
}

function make(options, url = 'wss://test/feed', protocols) {
  const socket = new RoostSocket(url, protocols, options);
  return { socket, events: record(socket) };
}

const name = (expected) => (error) => error.name === expected;

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

test('it comes back, later and later', () => {
  const { socket, events } = make({ backoffLimit: 3000 });
  for (const wait of [500, 1000, 2000, 3000, 3000]) {
    const before = count();
    latest().ends();
    assert.equal(socket.readyState, 0);
    assert.equal(socket.retryAt, Date.now() + wait);
    tick(wait - 1);
    assert.equal(count(), before);
    tick(1);
    assert.equal(count(), before + 1);
    assert.equal(socket.retryAt, 0);
  }
  assert.deepEqual(events.slice(0, 4), ['error', 'close 1006 0', 'connecting', 'error']);
});

test('the jitter is full', () => {
  Math.random = () => 0;
  const { socket } = make();
  latest().ends();
  assert.equal(socket.retryAt, Date.now());
  tick(0);
  assert.equal(count(), 2);
});

test('a connection that lasted has the wait begin anew', () => {
  const { socket } = make({ stableAfter: 1000 });
  const lasts = (ms, wait) => {
    latest().opens();
    tick(ms);
    latest().ends(1001);
    assert.equal(socket.retryAt, Date.now() + wait);
    tick(wait);
  };
  lasts(0, 500);
  lasts(999, 1000);
  lasts(1000, 500);
  lasts(0, 1000);
  for (const wait of [2000, 4000]) { // tries that fail long after it did not last
    latest().ends();
    assert.equal(socket.retryAt, Date.now() + wait);
    tick(wait);
  }
});

test('it gives up on what another try will not mend', () => {
  for (const code of [1002, 1003, 1007, 1008, 1010, 4401]) {
    const { socket, events } = make();
    latest().opens();
    latest().ends(code);
    assert.deepEqual(events, ['open', `close ${code} 3`]);
    assert.equal(socket.readyState, 3);
    assert.equal(timers.size, 0);
  }
  for (const code of [1000, 1001, 1005, 1006, 1009, 1011, 1012, 1013, 4000, 4429]) {
    const { socket } = make();
    latest().opens();
    latest().ends(code);
    assert.equal(socket.readyState, 0);
    socket.close();
  }
});

test('giveUp decides', () => {
  const asked = [];
  const { socket } = make({ giveUp: (how) => { asked.push(how); return how.code === 1000; } });
  latest().opens();
  latest().ends(4401, 'why');
  assert.equal(socket.readyState, 0);
  tick(500);
  latest().opens();
  latest().ends(1000);
  assert.equal(socket.readyState, 3);
  assert.deepEqual(asked[0], { code: 4401, reason: 'why', wasClean: true });
});

test('after too many requests it waits half a minute at least, whoever is in a hurry', () => {
  const { socket } = make();
  latest().opens();
  latest().ends(4429);
  assert.equal(socket.retryAt, Date.now() + 30_500);
  globalThis.dispatchEvent(new Event('online'));
  assert.equal(count(), 1);
  tick(30_500);
  assert.equal(count(), 2);
  latest().ends();
  globalThis.dispatchEvent(new Event('online')); // that wait is not the server's
  assert.equal(count(), 3);
});

test('a connection that takes too long is given up', () => {
  const { socket, events } = make();
  const slow = latest();
  tick(10_000);
  assert.deepEqual(events, ['error', 'close 1006 0']);
  assert.deepEqual(slow.closed, []);
  slow.opens(); // too late
  slow.says('nobody hears it');
  slow.ends();
  tick(500);
  assert.equal(count(), 2);
  assert.deepEqual(events, ['error', 'close 1006 0', 'connecting']);
  assert.equal(socket.readyState, 0);
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

test('the network and the person end a wait', () => {
  make();
  latest().ends();
  globalThis.dispatchEvent(new Event('online'));
  assert.equal(count(), 2);
  globalThis.dispatchEvent(new Event('online')); // a try is under way
  assert.equal(count(), 2);
  latest().ends();
  document.hidden = true;
  document.dispatchEvent(new Event('visibilitychange'));
  assert.equal(count(), 2);
  document.hidden = false;
  document.dispatchEvent(new Event('visibilitychange'));
  assert.equal(count(), 3);
  assert.equal(timers.size, 1);
});

test('without a network it tries seldom', () => {
  navigator.onLine = false;
  const { socket } = make();
  latest().ends();
  assert.equal(socket.retryAt, Date.now() + 30_000);
});

const beating = (ping = () => 'ping') => {
  const made = make({ heartbeat: { ping } });
  latest().opens();
  return made;
};

test('the heartbeat pings after silence, and gives up on what stays silent', () => {
  const { events } = beating();
  const first = latest();
  tick(20_000);
  first.says('x');
  tick(29_999);
  assert.deepEqual(first.sent, []);
  tick(1);
  assert.deepEqual(first.sent, ['ping']);
  tick(9999);
  first.says('pong'); // in time
  tick(29_999);
  assert.deepEqual(first.sent, ['ping']);
  tick(1);
  assert.deepEqual(first.sent, ['ping', 'ping']);
  tick(9999);
  assert.deepEqual(events, ['open', 'x', 'pong']);
  tick(1);
  assert.deepEqual(events.slice(3), ['error', 'close 1006 0']);
  assert.deepEqual(first.closed, []);
  tick(500);
  latest().opens(); // the heartbeat of the next connection
  tick(30_000);
  assert.deepEqual(latest().sent, ['ping']);
});

test('the heartbeat may send by itself, or close', () => {
  let pings = 0;
  beating(() => { pings++; });
  tick(30_000);
  assert.equal(pings, 1);
  assert.deepEqual(latest().sent, []);
  const { socket } = beating(() => { socket.close(); return 'too late'; });
  const second = latest();
  tick(30_000);
  assert.deepEqual(second.sent, []);
  assert.equal(socket.readyState, 2);
});

test('the heartbeat has its own times', () => {
  const { events } = make({ heartbeat: { ping: () => 'ping', after: 100, grace: 10 } });
  latest().opens();
  tick(100);
  assert.deepEqual(latest().sent, ['ping']);
  tick(10);
  assert.deepEqual(events, ['open', 'error', 'close 1006 0']);
});

test('a machine that slept gets a second ping before it is called dead, and no third', () => {
  const { events } = beating();
  tick(30_000);
  tick(3_600_000 + 10_000, 3_600_000); // the timer of the grace is an hour late
  assert.deepEqual(latest().sent, ['ping', 'ping']);
  assert.deepEqual(events, ['open']);
  tick(3_600_000 + 10_000, 3_600_000);
  assert.deepEqual(events, ['open', 'error', 'close 1006 0']);
});

test('a grace that is a little late is a grace', () => {
  const { events } = beating();
  tick(30_000);
  tick(20_000, 10_000);
  assert.deepEqual(latest().sent, ['ping']);
  assert.deepEqual(events, ['open', 'error', 'close 1006 0']);
});

test('an open connection is looked at when the network changes or the person comes back', () => {
  for (const [target, type] of [[globalThis, 'online'], [globalThis, 'offline'], [document, 'visibilitychange']]) {
    beating();
    tick(1000);
    target.dispatchEvent(new Event(type));
    target.dispatchEvent(new Event(type)); // one ping is out already
    assert.deepEqual(latest().sent, ['ping']);
    assert.equal(timers.size, 1);
    latest().says('pong');
    tick(10_000); // the end of the grace
    assert.deepEqual(latest().sent, ['ping']);
    tick(20_000);
    assert.deepEqual(latest().sent, ['ping', 'ping']);
    timers.clear();
  }
});

test('the heartbeat is of open connections', () => {
  const { events } = make({ heartbeat: { ping: () => 'ping' } });
  globalThis.dispatchEvent(new Event('offline')); // while it connects
  assert.deepEqual(latest().sent, []);
  latest().opens();
  tick(29_000);
  latest().ends();
  globalThis.dispatchEvent(new Event('offline')); // while it waits
  tick(500);
  latest().opens();
  tick(29_999); // the timer of the first one does not count for the second
  assert.deepEqual(latest().sent, []);
  tick(1);
  assert.deepEqual(latest().sent, ['ping']);
  assert.deepEqual(events, ['open', 'error', 'close 1006 0', 'connecting', 'open']);
});

test('without a heartbeat there is nothing to look with', () => {
  make();
  globalThis.dispatchEvent(new Event('offline')); // still connecting
  latest().opens();
  globalThis.dispatchEvent(new Event('offline'));
  assert.equal(timers.size, 0);
  assert.deepEqual(latest().sent, []);
});
