// What the tests of roost.js stand on: a clock that they turn, a WebSocket whose server they are, and a page.
import { afterEach, beforeEach } from 'node:test';
import { RoostSocket } from './roost.js';

// The clock: timers run when tick says so. late makes those that are due run after that many ms.
let now;
export let timers;
export let listening; // types and listeners of the page and the document
const saved = {};
const absent = {};

export function tick(ms, late = 0) {
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
export const settle = async () => { for (let i = 0; i < 10; i++) await null; };

// FakeSocket is the browser's WebSocket, and its server the test.
export class FakeSocket {
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

export const latest = () => FakeSocket.all.at(-1);
export const count = () => FakeSocket.all.length;

export function define(name, value) {
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
export function record(socket) {
  const events = [];
  for (const type of ['connecting', 'open', 'message', 'error', 'close']) {
    socket.addEventListener(type, (e) => {
      events.push(type === 'message' ? e.data : type === 'close' ? `close ${e.code} ${socket.readyState}` : type);
    });
  }
  return events;
}

export function make(options, url = 'wss://test/feed', protocols) {
  const socket = new RoostSocket(url, protocols, options);
  return { socket, events: record(socket) };
}

export const name = (expected) => (error) => error.name === expected;
