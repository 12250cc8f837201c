// Tests of when roost.js tries again, and of its heartbeat: node --test client/js/*.test.mjs (Node 18 or later).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { count, latest, make, tick, timers } from './fake.mjs';

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
  let pings = 0;
  const { events } = make({ heartbeat: { ping: () => { pings++; return 'ping'; } } });
  globalThis.dispatchEvent(new Event('offline')); // while it connects
  latest().opens();
  tick(29_000);
  latest().ends();
  globalThis.dispatchEvent(new Event('offline')); // while it waits
  tick(500);
  assert.equal(pings, 0);
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
