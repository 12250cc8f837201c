package main

// The examples that `roost load … -h` shows.

// Help shows what to begin with.
func (*loadCommand) Help() string {
	return `Any server that speaks WebSocket will do. Try it on one of our own:

  roost echo &
  roost load echo ws://127.0.0.1:8080/

Hold 50,000 idle connections for five minutes, and see what became of each:

  roost load idle -n 50000 -d 5m --procs 3 ws://example.test:8080/ws

20,000 messages a second by a schedule, so that a stall of the server shows in full:

  roost load echo -n 1000 -r 20000 --size 64-1024 ws://127.0.0.1:8080/

How long a publication takes to reach 10,000 subscribers, and whether it reaches all:

  roost load fanout -n 10000 -r 50 ws://127.0.0.1:8080/

In CI: fail if it gets slow, and keep the page:

  roost load echo -n 500 -r 5000 --assert 'p99<20ms' --assert 'lost==0' --html report.html ws://127.0.0.1:8080/

Compare with yesterday:

  roost load compare yesterday.json today.json

Several machines: an agent on each, and one command that all work for:

  ROOST_TOKEN=secret roost load --agent :7000
  ROOST_TOKEN=secret roost load idle -n 200000 --agents host1:7000,host2:7000 ws://example.test/ws

Exit status: 0, 1 if an assertion does not hold, 2 if the test could not be begun.
Ctrl-C once ends the run in good order, with a report of what was measured; twice, at once.`
}

// Help shows how to use it.
func (*idleCommand) Help() string {
	return `  roost load idle -n 18000 -d 2m ws://127.0.0.1:8080/
  roost load idle -n 54000 -d 2m --procs 3 ws://10.0.0.5:8080/ ws://10.0.0.5:8081/

With --server-pid the report has the bytes that a connection costs the server and the kernel:

  roost load idle -n 18000 --server-pid $(pgrep -f 'roost echo') ws://127.0.0.1:8080/

Each process may open as many connections as it may have file descriptors: see roost doctor.`
}

// Help shows how to use it.
func (*echoLoadCommand) Help() string {
	return `Closed loop, as fast as replies come; what the server can do at most:

  roost load echo -n 1000 --size 512 ws://127.0.0.1:8080/

Open loop, by a schedule; the latency counts from when a message was due, the service time
from when it left:

  roost load echo -n 1000 --size 512 -r 20000 ws://127.0.0.1:8080/

Messages of your own, one a line of a file:

  echo '{"id":{{seq}},"sent":{{now}},"nonce":"{{rand}}"}' > messages
  roost load echo --template messages --reply any -r 100 wss://staging.example.test/ws -H 'Authorization: Bearer …'

With --reply any, the server may answer anything, once for each message and in order.`
}

// Help shows how to use it.
func (*fanoutCommand) Help() string {
	return `The server sends each message that it gets to all, as roost echo --broadcast does:

  roost load fanout -n 10000 -r 50 ws://127.0.0.1:8080/

Subscribers say hello first, publishers have a URL of their own:

  roost load fanout -n 1000 --hello '{"join":"room"}' --publish-to ws://127.0.0.1:8080/admin ws://127.0.0.1:8080/

The backend publishes, and we post to it:

  roost load fanout -n 1000 --post http://127.0.0.1:8080/publish ws://127.0.0.1:8080/ws

The server publishes by itself and writes its time into the message:

  roost load fanout -n 1000 --stamp json:data.ts,ms ws://127.0.0.1:8080/ws

A message is found again by a mark of 46 bytes in it, which the server may wrap into
anything; in templates it is {{mark}}.`
}

// Help shows how to use it.
func (*feedLoadCommand) Help() string {
	return `  roost feed --source sim --rate 5000 &
  roost load feed -n 10000 -d 1m --assert 'gaps==0' --assert 'repeats==0' ws://127.0.0.1:8080/ws

Latency counts from the server's ts, which has whole milliseconds: it is up to 1 ms too long.`
}

// Help shows how to use it.
func (*churnCommand) Help() string {
	return `2,000 new connections a second, each for five seconds, 20,000 open at most:

  roost load churn -n 20000 -r 2000 --hold 5s -d 1m ws://127.0.0.1:8080/

The latency is that of connect and handshake, from when the connection was due.`
}

// Help shows how to use it.
func (*stormCommand) Help() string {
	return `All 10,000 drop by a reset and come back at once, five times, every 20 seconds:

  roost load storm -n 10000 --waves 5 --every 20s --assert 'storm.worst<5s' ws://127.0.0.1:8080/

Who is refused tries again after 200 ms.`
}

// Help shows how to use it.
func (*slowCommand) Help() string {
	return `A tenth of 1,000 subscribers never reads; how fast do the others get 100 messages a second?

  roost load slow -n 1000 -r 100 --size 1024 ws://127.0.0.1:8080/

A third of a feed's clients reads 2,000 bytes a second:

  roost load slow --on feed -n 1000 --share 0.33 --read 2000 ws://127.0.0.1:8080/ws

Slow clients have a receive buffer of 8 KiB, so that the server notices soon.`
}

// Help shows how to use it.
func (*halfOpenCommand) Help() string {
	return `A tenth of 1,000 clients falls silent; when does the server find out?

  roost load halfopen -n 1000 -d 2m ws://127.0.0.1:8080/

To drop a connection without FIN or reset is not possible on loopback, and elsewhere only with
a packet filter. silent leaves the socket open and unread: the kernel acknowledges what comes,
nobody answers pings. reset ends it by SO_LINGER 0.`
}

// Help shows a file.
func (*fileCommand) Help() string {
	return `A scenario file has the fields of the flags; docs/load.md lists them:

  scenario: echo
  targets: [ws://127.0.0.1:8080/]
  conns: 1000
  duration: 30s
  messages: {size: 64-1024, type: text}
  echo: {rate: 20000}
  assert: [p99<20ms, lost==0]

  roost load run echo.yaml`
}
