// The page: a table of symbols that follows the feed. Messages only note what changed; the screen is brought up to date once
// a frame where somebody can see it, and the rest of the table once a second, for who searches it or has it read out.
import { FeedClient } from './client.js';
import { Trail, colors, draw, readColors } from './chart.js';

const MOST = 1000; // channels that the server gives one connection
const REDRAW = 200; // ms between two drawings of one line
const TAPE = 40; // trades shown

const at = (id) => document.getElementById(id);
const page = Object.fromEntries(['state', 'symbols', 'rate', 'lag', 'gaps', 'conflated', 'filter', 'shown', 'rows', 'empty', 'detail'].map((id) => [id, at(id)]));
const rows = new Map(); // by symbol
const dirty = new Set(); // rows with something new
const visible = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const row = rows.get(target.dataset.symbol);
    row.seen = isIntersecting;
    if (isIntersecting) row.touch();
  }
}, { rootMargin: '100px' });

const totals = { updates: 0, gaps: 0, conflated: 0, lag: NaN };
let link = { name: 'connecting' }; // how the connection is, as FeedClient tells it
let selected = null;
let frame = 0;

class Row {
  seen = false;
  on = true;
  price = NaN;
  direction = 0; // of the last change of price: 1, -1
  updates = 0; // in the second that runs
  value = null; // the newest message
  trail = new Trail(90, 500);
  drawn = 0;
  behind = false; // the newest message is not shown, as the row is not on the screen
  trades = [];

  constructor(symbol) {
    this.symbol = symbol;
    const row = document.createElement('tr');
    row.dataset.symbol = symbol;
    row.setAttribute('role', 'row'); // rows that are grids are no rows to all browsers
    row.innerHTML = `<th scope="row" role="rowheader" class="symbol"><button type="button"></button></th><td role="cell" class="last">–</td>
      <td role="cell" class="change"><span class="amount"></span> <small></small></td><td role="cell" class="bid"></td><td role="cell" class="ask"></td>
      <td role="cell" class="trend"><canvas aria-hidden="true"></canvas></td><td role="cell" class="rate"></td>
      <td role="cell" class="on"><label><input type="checkbox" role="switch" checked></label></td>`;
    const find = (selector) => row.querySelector(selector);
    this.element = row;
    this.last = find('.last');
    this.change = find('.change');
    this.amount = find('.amount');
    this.percent = find('small');
    this.bid = find('.bid');
    this.ask = find('.ask');
    this.canvas = find('canvas');
    this.rate = find('.rate');
    this.toggle = find('input');
    find('button').textContent = symbol;
    this.toggle.setAttribute('aria-label', `Subscribe to ${symbol}`);
    this.toggle.addEventListener('change', () => follow([this], this.toggle.checked));
    row.addEventListener('click', ({ target }) => target.closest('.on') || select(this)); // beside the switch is not the row
    visible.observe(row);
  }

  // touch has the row shown again in the next frame.
  touch() {
    dirty.add(this);
    if (!frame) frame = requestAnimationFrame(render);
  }

  // take notes a ticker message.
  take(m, now) {
    this.value = m;
    this.updates++;
    const price = Number(m.last ?? m.bid);
    if (Number.isNaN(price)) return; // nothing known yet
    if (price !== this.price && !Number.isNaN(this.price)) this.direction = price > this.price ? 1 : -1;
    this.price = price;
    this.trail.add(price, now);
    this.touch();
  }

  show(now) {
    const { value: m } = this;
    this.behind = false;
    if (!m) return;
    // Prices are shown digit for digit as they came; floats only say up or down, and how much.
    const text = m.last ?? m.bid ?? '–';
    if (setText(this.last, text)) flash(this.last, this.direction);
    setText(this.bid, m.bid ?? '–');
    setText(this.ask, m.ask ?? '–');
    if (m.open !== undefined) {
      const { amount, percent, sign } = difference(text, m.open);
      setText(this.amount, amount);
      setText(this.percent, percent);
      setClass(this.change, `change ${sign}`);
    }
    if (!this.seen) return;
    if (now - this.drawn >= REDRAW) {
      this.drawn = now;
      draw(this.canvas, this.trail, Number(m.open));
    } else {
      later.add(this);
    }
  }

  setOn(on) {
    this.on = on;
    this.toggle.checked = on;
    this.element.classList.toggle('off', !on);
    if (!on) setText(this.rate, '');
  }
}

// later are rows whose line was drawn too short a time ago.
const later = new Set();

function render(now) {
  frame = 0;
  for (const row of dirty) {
    if (row.seen) row.show(now);
    else row.behind = true;
    if (row === selected) detail.show(now);
  }
  dirty.clear();
}

function setText(node, text) {
  if (node.textContent === text) return false;
  node.textContent = text;
  return true;
}

function setClass(node, name) {
  if (node.className !== name) node.className = name;
}

const calm = matchMedia('(prefers-reduced-motion: reduce)');

// flash shows for a moment which way a price went. A class that starts an animation anew would need a layout in between.
function flash(node, direction) {
  if (!direction || calm.matches) return;
  const name = direction > 0 ? 'up' : 'down';
  node.flashing?.cancel();
  node.flashing = node.animate([{ backgroundColor: colors[`${name}-flash`], color: colors[name] }, {}], { duration: 600, easing: 'ease-out' });
}

const decimals = (text) => (text.split('.')[1] ?? '').length;

function difference(text, open) {
  const digits = Math.max(decimals(text), decimals(open));
  const change = Number(text) - Number(open);
  const sign = change > 0 ? 'up' : change < 0 ? 'down' : '';
  const mark = change > 0 ? '+' : change < 0 ? '−' : '';
  return {
    sign,
    amount: mark + Math.abs(change).toFixed(digits),
    percent: Number(open) ? `${mark}${Math.abs((100 * change) / Math.abs(Number(open))).toFixed(2)}%` : '',
  };
}

// The sheet of one symbol: what the table has no room for, and its trades.
const detail = {
  parts: Object.fromEntries(['symbol', 'close', 'last', 'change', 'chart', 'bid', 'ask', 'bid-size', 'ask-size', 'open', 'spread', 'volume', 'source', 'src', 'trades', 'none'].map((id) => [id, at(`d-${id}`)])),
  drawn: 0,

  show(now) {
    const { value: m, symbol, trail, direction, trades } = selected;
    const { parts } = this;
    setText(parts.symbol, symbol);
    if (!m) return;
    const text = m.last ?? m.bid ?? '–';
    if (setText(parts.last, text)) flash(parts.last, direction);
    for (const name of ['bid', 'ask', 'open']) setText(parts[name], m[name] ?? '–');
    setText(parts['bid-size'], grouped(m.bid_size));
    setText(parts['ask-size'], grouped(m.ask_size));
    setText(parts.volume, grouped(m.volume) || '–');
    parts.source.hidden = m.src_ts === undefined;
    if (m.src_ts !== undefined) setText(parts.src, new Date(m.src_ts).toISOString().replace('T', ' ').slice(0, 23));
    if (m.bid !== undefined) setText(parts.spread, (Number(m.ask) - Number(m.bid)).toFixed(Math.max(decimals(m.bid), decimals(m.ask))));
    if (m.open !== undefined) {
      const { amount, percent, sign } = difference(text, m.open);
      setText(parts.change, `${amount} (${percent})`);
      setClass(parts.change, `change ${sign}`);
    }
    parts.none.hidden = trades.length > 0;
    if (now - this.drawn < REDRAW) {
      later.add(selected);
      return;
    }
    this.drawn = now;
    draw(parts.chart, trail, Number(m.open), decimals(text));
    parts.trades.replaceChildren(...trades.map(tapeLine));
  },
};

function tapeLine(m) {
  const line = document.createElement('tr');
  const time = document.createElement('td');
  const price = document.createElement('td');
  const size = document.createElement('td');
  time.textContent = new Date(m.src_ts ?? m.ts).toTimeString().slice(0, 8);
  price.textContent = `${m.side === 'buy' ? '▲' : m.side === 'sell' ? '▼' : ''} ${m.price}`;
  price.className = m.side === 'buy' ? 'up' : m.side === 'sell' ? 'down' : '';
  size.textContent = grouped(m.size);
  line.append(time, price, size);
  return line;
}

// grouped puts thin spaces between the thousands of a decimal's whole part; no digit changes.
function grouped(text) {
  if (text === undefined) return '';
  const [whole, fraction] = text.split('.');
  return whole.replace(/\B(?=(\d{3})+$)/g, '\u2009') + (fraction === undefined ? '' : `.${fraction}`);
}

function select(row) {
  if (row === selected) return;
  const before = selected;
  selected = row;
  before?.element.classList.remove('selected');
  if (before) quietly(client.request('unsubscribe', [`trades:${before.symbol}`]));
  page.detail.hidden = !row;
  if (!row) {
    before.element.querySelector('button').focus();
    return;
  }
  row.element.classList.add('selected');
  row.trades = [];
  detail.drawn = 0;
  for (const name of ['last', 'change', 'bid', 'ask', 'bid-size', 'ask-size', 'spread', 'volume']) setText(detail.parts[name], '');
  quietly(client.request('subscribe', [`trades:${row.symbol}`]));
  row.touch();
}

// follow subscribes to rows, or ends that.
function follow(list, on) {
  const changed = list.filter((row) => row.on !== on);
  for (const row of changed) row.setOn(on);
  if (changed.length) quietly(client.request(on ? 'subscribe' : 'unsubscribe', changed.map(({ symbol }) => `ticker:${symbol}`)));
  count();
}

// quietly leaves it to the next connection, which asks for all that is wanted, when a request fails.
function quietly(request) {
  request.then(refused, () => {});
}

// refused shows rows as they are whose channels the server did not give us.
function refused(reply) {
  for (const { ch, ok } of reply.channels ?? []) {
    const row = rows.get(ch.slice('ticker:'.length));
    if (!ok && reply.op === 'subscribe' && ch.startsWith('ticker:')) row?.setOn(false);
  }
}

function rowOf(symbol) {
  let row = rows.get(symbol);
  if (!row) {
    row = new Row(symbol);
    rows.set(symbol, row);
    page.rows.append(row.element);
  }
  return row;
}

// begin asks a new connection for all that is wanted. If it cannot have that, the connection is given up for another one.
async function begin() {
  const { symbols, error } = await client.request('list');
  if (error) throw new Error(error.message);
  for (const symbol of symbols) rowOf(symbol);
  const wanted = [...rows.values()].filter((row) => row.on);
  if (wanted.length === rows.size && rows.size < MOST) {
    await subscribe(['ticker:*']); // and whatever comes later
  } else if (wanted.length) {
    for (const row of wanted.slice(MOST - 1)) row.setOn(false); // one is kept for the trades of the selected one
    await subscribe(wanted.slice(0, MOST - 1).map(({ symbol }) => `ticker:${symbol}`));
  }
  if (selected) {
    selected.trades = [];
    await subscribe([`trades:${selected.symbol}`]);
  } else if (matchMedia('(min-width: 1081px)').matches && rows.size) {
    select(rows.values().next().value);
  }
  filter();
}

async function subscribe(channels) {
  const reply = await client.request('subscribe', channels);
  if (reply.error) throw new Error(reply.error.message);
  refused(reply);
}

function filter() {
  const wanted = page.filter.value.trim().toUpperCase();
  let shown = 0;
  for (const row of rows.values()) {
    row.element.hidden = !row.symbol.toUpperCase().includes(wanted);
    if (!row.element.hidden) shown++;
  }
  page.empty.hidden = shown > 0;
  setText(page.empty, rows.size ? `No symbol has “${page.filter.value.trim()}” in it.` : 'Waiting for the list of symbols…');
  count(shown);
}

const shownRows = () => [...rows.values()].filter((row) => !row.element.hidden);

function count(shown = shownRows().length) {
  const on = [...rows.values()].filter((row) => row.on).length;
  setText(page.shown, rows.size ? `${shown} of ${rows.size} shown, ${on} subscribed` : '');
}

const client = new FeedClient(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`, {
  begin,
  state(name, why, retryAt) {
    link = { name, why, retryAt };
    page.state.dataset.state = name;
    document.body.classList.toggle('stale', name !== 'live');
    if (name === 'ended' && !rows.size) setText(page.empty, 'There is nothing to show.');
    tellState();
  },

  data(m, lag, gap) {
    const [stream, symbol] = m.ch.split(/:(.*)/s);
    if (!rows.has(symbol)) {
      rowOf(symbol); // new, and a wildcard found it
      filter();
    }
    const row = rows.get(symbol);
    if (gap) totals.gaps++;
    if (m.type === 'update') {
      totals.updates++;
      if (!gap) totals.conflated += m.seq - m.prev - 1;
      // The lag of the newest tenth or so: calm enough to be read.
      totals.lag = Number.isNaN(totals.lag) ? lag : totals.lag + (lag - totals.lag) / 10;
    }
    if (stream === 'ticker') {
      if (m.bid !== undefined || m.last !== undefined) row.take(m, performance.now());
    } else if (row === selected && m.price !== undefined) {
      row.trades.unshift(m);
      row.trades.length = Math.min(row.trades.length, TAPE);
      row.touch();
    }
  },
});

function tellState() {
  const { name, why, retryAt } = link;
  const wait = `reconnecting in ${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s`;
  const ended = `ended: ${why}. Reload the page to connect again`;
  setText(page.state, { connecting: 'connecting…', live: 'live', waiting: why ? `${why}, ${wait}` : wait, ended }[name]);
}

let second = performance.now();
setInterval(() => {
  const now = performance.now();
  const passed = (now - second) / 1000;
  second = now;
  setText(page.symbols, String(rows.size));
  setText(page.rate, String(Math.round(totals.updates / passed)));
  setText(page.lag, Number.isNaN(totals.lag) ? '–' : `${Math.max(0, Math.round(totals.lag))} ms`);
  setText(page.gaps, String(totals.gaps));
  page.gaps.classList.toggle('bad', totals.gaps > 0);
  setText(page.conflated, String(totals.conflated));
  totals.updates = 0;
  for (const row of rows.values()) {
    if (row.behind) row.show(now);
    if (row.on) setText(row.rate, (row.updates / passed).toFixed(row.updates >= 10 ? 0 : 1));
    row.updates = 0;
  }
  tellState();
}, 1000);

setInterval(() => {
  for (const row of later) row.touch();
  later.clear();
}, REDRAW);

page.filter.addEventListener('input', filter);
at('follow').addEventListener('click', () => follow(shownRows(), true));
at('unfollow').addEventListener('click', () => follow(shownRows(), false));
detail.parts.close.addEventListener('click', () => select(null));
addEventListener('keydown', (event) => {
  if (event.key === '/' && document.activeElement !== page.filter) {
    event.preventDefault();
    page.filter.focus();
  } else if (event.key === 'Escape' && selected) {
    select(null);
  }
});
const redraw = () => {
  readColors();
  for (const row of rows.values()) row.touch();
};
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
addEventListener('resize', redraw);
readColors();
