// The client of the feed's protocol (docs/feed-protocol.md): one WebSocket that comes back by itself, requests matched to
// replies by id, the prev chain of each channel checked, and the distance of the server's clock estimated.

const FIRST_WAIT = 500; // ms before the first try to come back; doubled with each that fails
const LONGEST_WAIT = 15_000;
const WAIT_AFTER_ABUSE = 30_000; // the server closed with 4429: it had too many of our requests
const PING_EVERY = 5_000;
const SILENCE = 12_000; // longer than the server is ever silent: heartbeats, and the replies to our pings

export class FeedClient {
  #url;
  #events;
  #socket = null;
  #tries = 0;
  #timer = 0;
  #watch = 0;
  #heard = 0;
  #nextId = 1;
  #pending = new Map(); // id: what to call with the reply
  #seqs = new Map(); // channel: the seq that came last
  #offset = 0; // ms to add to our clock to get the server's
  #trip = Infinity; // the shortest round trip that an offset was taken from

  // events: state(name, retryAt), data(message, lag, gap)
  constructor(url, events) {
    this.#url = url;
    this.#events = events;
    addEventListener('online', () => this.#hurry());
    document.addEventListener('visibilitychange', () => document.hidden || this.#hurry());
    this.#connect();
  }

  // request sends one and resolves with its reply; it rejects when the connection is lost first.
  request(op, channels) {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject(new Error('not connected'));
        return;
      }
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ op, id, channels }));
    });
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#events.state('connecting', 0);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#heard = performance.now();
      this.#watch = setInterval(() => this.#check(), PING_EVERY);
      this.#trip = Infinity;
      this.#ping();
      this.#events.state('live', 0);
    };
    socket.onmessage = (event) => this.#message(JSON.parse(event.data));
    socket.onclose = (event) => this.#lost(socket, event.code);
  }

  #lost(socket, code) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    clearInterval(this.#watch);
    for (const { reject } of this.#pending.values()) reject(new Error('the connection was lost'));
    this.#pending.clear();
    this.#seqs.clear();
    // Half of the wait is chance, so that the clients of a server that was restarted do not come back at once.
    let wait = Math.min(FIRST_WAIT * 2 ** this.#tries++, LONGEST_WAIT);
    if (code === 4429) wait = WAIT_AFTER_ABUSE;
    wait *= 0.5 + Math.random() / 2;
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#events.state('waiting', Date.now() + wait);
  }

  // hurry ends a wait: the network, or the person, has come back.
  #hurry() {
    if (this.#timer) this.#connect();
  }

  #check() {
    if (performance.now() - this.#heard > SILENCE) {
      const socket = this.#socket;
      this.#lost(socket, 0); // close may take minutes on a dead network
      socket.close();
      return;
    }
    this.#ping();
  }

  async #ping() {
    const begin = performance.now();
    try {
      const { ts } = await this.request('ping');
      const trip = performance.now() - begin;
      // The quicker the trip, the less there is to guess; and clocks drift, so that an old best counts for less and less.
      if (trip <= this.#trip * 1.2) {
        this.#trip = trip;
        this.#offset = ts + trip / 2 - Date.now();
      } else {
        this.#trip *= 1.1;
      }
    } catch {
      // lost: the next connection asks again
    }
  }

  #message(m) {
    this.#heard = performance.now();
    switch (m.type) {
      case 'snapshot':
        this.#tries = 0; // it works: not only the handshake does
        this.#seqs.set(m.ch, m.seq);
        this.#events.data(m, NaN, false);
        break;
      case 'update': {
        const gap = this.#seqs.get(m.ch) !== m.prev;
        this.#seqs.set(m.ch, m.seq);
        this.#events.data(m, Date.now() + this.#offset - m.ts, gap);
        break;
      }
      case 'heartbeat':
        for (const [ch, seq] of Object.entries(m.seqs)) {
          if (this.#seqs.has(ch) && this.#seqs.get(ch) !== seq) {
            this.#seqs.set(ch, seq);
            this.#events.data({ ch, type: 'lost' }, NaN, true);
          }
        }
        break;
      case 'reply': {
        const waiting = this.#pending.get(m.id);
        this.#pending.delete(m.id);
        if (m.op === 'unsubscribe') this.#forget(m);
        waiting?.resolve(m);
        break;
      }
    }
  }

  #forget(reply) {
    for (const { ch, symbols } of reply.channels ?? []) {
      if (symbols) for (const symbol of symbols) this.#seqs.delete(ch.replace('*', symbol));
      else this.#seqs.delete(ch);
    }
  }
}
