// The client of the feed's protocol (docs/feed-protocol.md), on a WebSocket that comes back by itself: requests matched to replies by
// id, the prev chain of each channel checked, and the distance of the server's clock estimated.
import { RoostSocket } from './roost.js';

const PING_EVERY = 5_000; // ms; for the clock
const SILENCE = { after: 7_000, grace: 5_000 }; // ms; a server that lives is never silent for so long: it answers the pings
const LONGEST_WAIT = 15_000; // ms; somebody sits in front of the page

// After these codes another try would end as this one did. The texts are for Close frames that have none.
const FINAL = {
  1002: 'the server did not understand this page',
  1003: 'the server did not understand this page',
  1007: 'the server did not understand this page',
  1008: 'the server does not allow what this page did',
  1010: 'the server lacks an extension',
  4401: 'the login is not valid any more',
  4403: 'access is not allowed',
};

export class FeedClient {
  #events;
  #send = null; // on the connection that there is
  #clock = 0;
  #nextId = 1;
  #pending = new Map(); // id: what to call with the reply
  #seqs = new Map(); // channel: the seq that came last
  #offset = 0; // ms to add to our clock to get the server's
  #trip = Infinity; // the shortest round trip that an offset was taken from

  // events: begin(), which asks a new connection for all that is wanted; state(name, why, retryAt), the name being connecting, live,
  // waiting or ended; data(message, lag, gap)
  constructor(url, events) {
    this.#events = events;
    const socket = new RoostSocket(url, [], {
      resubscribe: (send) => this.#begin(send),
      heartbeat: { ...SILENCE, ping: () => { this.#ping(); } },
      backoffLimit: LONGEST_WAIT,
      giveUp: ({ code }) => code in FINAL,
    });
    socket.addEventListener('connecting', () => events.state('connecting'));
    socket.addEventListener('open', () => {
      this.#send = (text) => socket.send(text);
      this.#clock = setInterval(() => this.#ping(), PING_EVERY);
      events.state('live');
    });
    socket.addEventListener('message', ({ data }) => this.#message(JSON.parse(data)));
    socket.addEventListener('close', ({ code, reason }) => {
      this.#lost();
      if (socket.readyState === RoostSocket.CLOSED) events.state('ended', reason || FINAL[code]);
      else events.state('waiting', reason, socket.retryAt);
    });
  }

  // request sends one and resolves with its reply; it rejects when the connection is lost first.
  request(op, channels) {
    return new Promise((resolve, reject) => {
      if (!this.#send) throw new Error('not connected');
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      this.#send(JSON.stringify({ op, id, channels }));
    });
  }

  #begin(send) {
    this.#send = send;
    this.#trip = Infinity;
    this.#ping();
    return this.#events.begin();
  }

  #lost() {
    this.#send = null;
    clearInterval(this.#clock);
    for (const { reject } of this.#pending.values()) reject(new Error('the connection was lost'));
    this.#pending.clear();
    this.#seqs.clear();
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
    switch (m.type) {
      case 'snapshot':
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
