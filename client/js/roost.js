// RoostSocket is a WebSocket for browsers that comes back by itself. It has no dependencies and works with any server.
//
//   import { RoostSocket } from './roost.js';
//   const socket = new RoostSocket('wss://example.com/feed', [], {
//     resubscribe: (send) => send('{"op":"subscribe","channels":["ticker:*"]}'),
//   });
//   socket.onmessage = ({ data }) => console.log(data);
//
// It is a module: a classic script gets it with import('./roost.js').
//
// What is as in the browser's WebSocket: constructor (url, protocols), send, close, url, protocol, extensions, binaryType,
// bufferedAmount, readyState and its constants, the events open, message, error and close, and onopen to onclose.
//
// What differs, because the connection may change:
//   - readyState is CONNECTING also while a lost connection is to come back, and CLOSED only when it is over for good.
//   - open comes with each connection, close with each that is lost and with each try that fails. In a close handler readyState
//     tells which it is: CONNECTING, and retryAt says when the next try begins, or CLOSED. connecting is one event more: a try begins.
//   - send throws an InvalidStateError while there is no connection, as a WebSocket does before it is open, so that nothing is lost
//     without a word. With the option maxQueued it keeps messages instead, and throws a QuotaExceededError when they are too many.

/** @typedef {string | ArrayBuffer | ArrayBufferView | Blob} Data */

/**
 * @typedef {object} Options times are in milliseconds
 * @property {(send: (data: Data) => void, again: boolean) => (void | Promise<void>)} [resubscribe] called with each new connection,
 *   before messages of the queue are sent and open is dispatched: to log in and to subscribe. Messages that arrive meanwhile are
 *   dispatched. again is false for the first connection. If it throws, or the promise rejects, the connection is given up for a new one.
 * @property {Heartbeat} [heartbeat] default: none, for scripts cannot send ping frames
 * @property {number} [maxQueued] bytes of messages at most that send keeps while there is no connection; default: 0
 * @property {number} [backoffBase] the wait before a try is random between 0 and this, which doubles with each try that fails; default: 500
 * @property {number} [backoffLimit] up to this; default: 30000
 * @property {number} [stableAfter] a connection that lasted for so long has the wait begin at backoffBase again; default: 30000
 * @property {number} [connectTimeout] for the connection and resubscribe; default: 10000
 * @property {(event: {code: number, reason: string}) => boolean} [giveUp] whether there is no sense in another try; default: codes
 *   1002, 1003, 1007, 1008, 1010 and 4401. Scripts are not told with which status a handshake was refused: that is 1006, and tried again.
 * @property {new (url: string | URL, protocols?: string | string[]) => WebSocket} [WebSocket] default: the global one
 */

/**
 * @typedef {object} Heartbeat
 * @property {() => (Data | void)} ping returns a message that the server answers, or sends one itself. Whatever comes back will do.
 * @property {number} [after] a server that sent nothing for so long gets a ping; default: 30000
 * @property {number} [grace] if it sends nothing for so long after it, the connection is given up for a new one; default: 10000
 */

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

const FATAL = new Set([1002, 1003, 1007, 1008, 1010, 4401]);
const TOO_MANY_REQUESTS = 4429;
const AFTER_ABUSE = 30_000; // the least wait after a 4429

export class RoostSocket extends EventTarget {
  static CONNECTING = CONNECTING;
  static OPEN = OPEN;
  static CLOSING = CLOSING;
  static CLOSED = CLOSED;

  #address;
  #protocols;
  #options;
  #readyState = CONNECTING;
  #binaryType = 'blob';
  #handlers = new Map(); // by type: what was assigned to onopen and so on, and what listens for it

  #url = '';
  #socket = null; // the browser's, of this connection or try; null while waiting
  #ready = false; // it is open, and resubscribe is through
  #again = false; // there was a connection before
  #readyAt = 0;
  #tries = 0; // that failed since the last connection that lasted
  #timer = 0; // ends the wait, or a try that takes too long
  #patient = false; // the server asked for the wait
  #retryAt = 0;
  #queue = [];
  #queued = 0; // bytes of it

  #beat = 0; // the heartbeat's timer
  #beatDue = 0;
  #heard = 0;
  #unanswered = 0; // pings since then

  /**
   * @param {string | URL | (() => string | URL | Promise<string | URL>)} url a function is called before each try: to bring a new token
   * @param {string | string[]} [protocols]
   * @param {Options} [options]
   */
  constructor(url, protocols = [], options = {}) {
    super();
    this.#address = url;
    this.#protocols = protocols;
    this.#options = {
      maxQueued: 0, backoffBase: 500, backoffLimit: 30_000, stableAfter: 30_000, connectTimeout: 10_000,
      giveUp: ({ code }) => FATAL.has(code), WebSocket: globalThis.WebSocket, ...options,
    };
    if (options.heartbeat) this.#options.heartbeat = { after: 30_000, grace: 10_000, ...options.heartbeat };
    try {
      this.#connect();
    } catch (error) { // a malformed URL, say
      this.#rest();
      throw error;
    }
    globalThis.addEventListener?.('online', this.#hurry);
    globalThis.addEventListener?.('offline', this.#look);
    globalThis.document?.addEventListener('visibilitychange', this.#seen);
  }

  get CONNECTING() { return CONNECTING; }
  get OPEN() { return OPEN; }
  get CLOSING() { return CLOSING; }
  get CLOSED() { return CLOSED; }

  get readyState() { return this.#readyState; }
  /** @returns {string} of the latest try; empty while a function has yet to tell */
  get url() { return this.#url; }
  get protocol() { return this.#socket?.protocol ?? ''; }
  get extensions() { return this.#socket?.extensions ?? ''; }
  /** @returns {number} bytes that the network has not taken, and those that wait for a connection */
  get bufferedAmount() { return (this.#socket?.bufferedAmount ?? 0) + this.#queued; }
  /** @returns {number} when the next try begins, in ms since 1970; 0 unless one is waited for */
  get retryAt() { return this.#retryAt; }

  get binaryType() { return this.#binaryType; }
  set binaryType(type) {
    if (type !== 'blob' && type !== 'arraybuffer') return; // as with any enumeration of the browser's
    this.#binaryType = type;
    if (this.#socket) this.#socket.binaryType = type;
  }

  get onopen() { return this.#handler('open'); }
  set onopen(f) { this.#handle('open', f); }
  get onmessage() { return this.#handler('message'); }
  set onmessage(f) { this.#handle('message', f); }
  get onerror() { return this.#handler('error'); }
  set onerror(f) { this.#handle('error', f); }
  get onclose() { return this.#handler('close'); }
  set onclose(f) { this.#handle('close', f); }

  /** @param {Data} data */
  send(data) {
    if (this.#readyState === OPEN) {
      this.#socket.send(data);
      return;
    }
    if (this.#readyState !== CONNECTING) return; // the browser's drops it, too
    const size = sizeOf(data);
    if (!this.#options.maxQueued) throw new DOMException('There is no connection at the moment.', 'InvalidStateError');
    if (this.#queued + size > this.#options.maxQueued) {
      throw new DOMException('More is waiting for a connection than maxQueued allows.', 'QuotaExceededError');
    }
    this.#queue.push(copyOf(data));
    this.#queued += size;
  }

  /**
   * Closes the connection, and there will be no other. Messages that wait for one are dropped.
   * @param {number} [code] 1000, or 3000 to 4999
   * @param {string} [reason] 123 bytes of UTF-8 at most
   */
  close(code, reason = '') {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException(`The close code must be 1000 or 3000 to 4999, and not ${code}.`, 'InvalidAccessError');
    }
    if (sizeOf(reason) > 123) throw new DOMException('The close reason must not have more than 123 bytes.', 'SyntaxError');
    if (this.#readyState >= CLOSING) return;
    this.#readyState = CLOSING;
    this.#rest();
    if (!this.#socket) {
      queueMicrotask(() => this.#end({ code: 1006, reason: '', wasClean: false }));
    } else if (code === undefined) {
      this.#socket.close();
    } else {
      this.#socket.close(code, reason);
    }
  }

  // A try.

  #connect() {
    this.#rest();
    this.#timer = setTimeout(() => this.#lose(1006, 'the connection took too long'), this.#options.connectTimeout);
    this.dispatchEvent(new Event('connecting'));
    if (this.#readyState !== CONNECTING) return; // a handler closed it
    if (typeof this.#address !== 'function') {
      this.#open(this.#address);
      return;
    }
    const timer = this.#timer;
    const current = () => timer === this.#timer;
    new Promise((resolve) => resolve(this.#address())).then((url) => current() && this.#open(url))
      .catch(() => current() && this.#lose(1006, 'the URL could not be had'));
  }

  #open(url) {
    const socket = new this.#options.WebSocket(url, this.#protocols);
    this.#socket = socket;
    this.#url = socket.url;
    socket.binaryType = this.#binaryType;
    const mine = (f) => (event) => socket === this.#socket && f(event);
    socket.onopen = mine(() => this.#opened(socket));
    socket.onmessage = mine(({ data, origin }) => {
      this.#heard = performance.now();
      this.#unanswered = 0;
      this.dispatchEvent(new MessageEvent('message', { data, origin }));
    });
    socket.onerror = mine(() => this.dispatchEvent(new Event('error')));
    socket.onclose = mine((event) => this.#lost(event));
  }

  #opened(socket) {
    let result;
    try {
      result = this.#options.resubscribe?.((data) => socket.send(data), this.#again);
    } catch {
      this.#lose(1006, 'resubscribe failed');
      return;
    }
    if (typeof result?.then !== 'function') {
      this.#begin(socket);
      return;
    }
    result.then(() => this.#begin(socket), () => {
      if (socket === this.#socket && this.#readyState === CONNECTING) this.#lose(1006, 'resubscribe failed');
    });
  }

  #begin(socket) {
    if (socket !== this.#socket || this.#readyState !== CONNECTING) return;
    clearTimeout(this.#timer);
    this.#readyState = OPEN;
    this.#ready = this.#again = true;
    this.#readyAt = performance.now();
    const queue = this.#queue;
    this.#forget();
    for (const data of queue) socket.send(data);
    this.#unanswered = 0;
    if (this.#options.heartbeat) this.#watch(this.#options.heartbeat.after);
    this.dispatchEvent(new Event('open'));
  }

  // The end of a connection, or of a try.

  // lose gives up a socket whose end we do not wait for: that may take minutes on a dead network.
  #lose(code, reason) {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.dispatchEvent(new Event('error'));
    this.#lost({ code, reason, wasClean: false });
  }

  #lost({ code, reason, wasClean }) {
    const how = { code, reason, wasClean };
    if (this.#readyState >= CLOSING || this.#options.giveUp(how)) {
      this.#end(how);
      return;
    }
    this.#readyState = CONNECTING;
    if (this.#ready && performance.now() - this.#readyAt >= this.#options.stableAfter) this.#tries = 0;
    this.#rest();
    this.#wait(code);
    this.#dispatchClose(how);
  }

  // wait begins the time until the next try: exponential, with full jitter, so that the clients of a server that was restarted do
  // not come back in waves (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
  #wait(code) {
    const { backoffBase, backoffLimit } = this.#options;
    this.#patient = code === TOO_MANY_REQUESTS;
    let wait = Math.random() * Math.min(backoffBase * 2 ** this.#tries++, backoffLimit);
    if (this.#patient) wait += AFTER_ABUSE;
    // Without a network there is no sense in trying: online ends the wait. Some systems do not know whether they are.
    if (globalThis.navigator?.onLine === false) wait = Math.max(wait, backoffLimit);
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#retryAt = Date.now() + wait;
  }

  #end(how) {
    if (this.#readyState === CLOSED) return;
    this.#readyState = CLOSED;
    this.#rest();
    this.#forget();
    globalThis.removeEventListener?.('online', this.#hurry);
    globalThis.removeEventListener?.('offline', this.#look);
    globalThis.document?.removeEventListener('visibilitychange', this.#seen);
    this.#dispatchClose(how);
  }

  #dispatchClose(how) {
    this.dispatchEvent(Object.assign(new Event('close'), how));
  }

  // rest ends all timers.
  #rest() {
    clearTimeout(this.#timer);
    clearTimeout(this.#beat);
    this.#timer = this.#beat = this.#retryAt = 0;
    this.#ready = false;
    if (this.#readyState !== CLOSING) this.#socket = null;
  }

  #forget() {
    this.#queue = [];
    this.#queued = 0;
  }

  // The network or the person has come back: a wait ends, unless the server asked for it, and an open connection is looked at.
  #hurry = () => {
    if (this.#retryAt && !this.#patient) this.#connect();
    else this.#look();
  };

  #seen = () => {
    if (!globalThis.document.hidden) this.#hurry();
  };

  // The heartbeat.

  // look has a ping sent now, if there is a heartbeat and no ping is out.
  #look = () => {
    if (this.#ready && this.#options.heartbeat && !this.#unanswered) this.#ping();
  };

  #watch(wait) {
    clearTimeout(this.#beat);
    this.#beatDue = performance.now() + wait;
    this.#beat = setTimeout(() => this.#check(), wait);
  }

  #ping() {
    const { ping, grace } = this.#options.heartbeat;
    this.#unanswered++;
    this.#watch(grace);
    const data = ping();
    if (data !== undefined && this.#ready) this.#socket.send(data);
  }

  // check runs when the timer does. Messages only note when they came: a timer for each would cost more than they do.
  #check() {
    const { after, grace } = this.#options.heartbeat;
    const now = performance.now();
    const rest = this.#heard + after - now;
    // A timer that is late tells of a tab in the background or a machine that slept: what arrived may still wait to be dispatched.
    const late = now - this.#beatDue > grace;
    if (!this.#unanswered && rest > 0) this.#watch(rest);
    else if (!this.#unanswered || (late && this.#unanswered === 1)) this.#ping();
    else this.#lose(1006, 'the server is silent');
  }

  // onopen and so on.

  #handler(type) { return this.#handlers.get(type)?.f ?? null; }

  #handle(type, f) {
    const before = this.#handlers.get(type);
    if (before) this.removeEventListener(type, before.listener);
    this.#handlers.delete(type);
    if (typeof f !== 'function') return;
    const listener = (event) => f.call(this, event);
    this.#handlers.set(type, { f, listener });
    this.addEventListener(type, listener);
  }
}

// sizeOf is in bytes; what is no data is sent as text.
function sizeOf(data) {
  return data?.byteLength ?? data?.size ?? new TextEncoder().encode(String(data)).length;
}

// copyOf is for what the caller may change before it is sent.
function copyOf(data) {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  return data instanceof ArrayBuffer ? data.slice(0) : data;
}
