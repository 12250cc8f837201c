//go:build ignore

// load: a closed-loop WebSocket client of one thread, to hold another load tool against.
// It shares no code with that one. All goes to 127.0.0.1, path /.
//
// Build: cc -O3 -march=native -o load load.c
// Run:   load echo PORT CONNS SIZE WARMUP SECONDS      one message in flight on each connection
//        load fan PORT CONNS SIZE WARMUP SECONDS       the first connection publishes when all have the last one
//        load connect PORT CONCURRENCY WARMUP SECONDS  connects, upgrades, resets
// It prints "start" when measuring begins, and {"count":N,"seconds":S} when it ends: N is of
// echoes, deliveries or handshakes. Then it waits for what is still in flight. Status 1 and a
// sentence on standard error: a connection broke, a byte was wrong, or nothing came for 5 s.
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base64.h"
#include "frame.h"
#include "net.h"

enum {
    BATCH = 1024,        // events of one wait
    UNDER_WAY = 256,     // handshakes at a time that open the connections of echo and fan
    PER_ADDRESS = 10000, // connections from one source address
    TICK = 100,          // milliseconds of the longest wait
};
static const double silence = 5;  // seconds
static const double settle = 0.3; // seconds after the last handshake: a server may subscribe a bit late

struct conn {
    int fd;
    uint32_t asked; // request, or frame: bytes that were sent
    uint32_t got;   // answer: bytes that came, and were right
    uint64_t heard; // whole messages that came
    uint64_t due;   // echo: messages that were sent
    uint8_t blank;  // how much of the blank line behind a response came last
    enum { REQUESTING, OPEN } state;
    int watched; // events
};

static enum { ECHO, FAN, CONNECT } work;
static struct sockaddr_in server = {.sin_family = AF_INET};
static struct conn *conns;
static int epoll, total;
static uint64_t begun, opened; // handshakes
static char request[512];
static size_t request_size, frame_size, reply_size;
static unsigned char *frame, *reply;
static unsigned char buffer[2 << 20];
static uint64_t count, published;
static int missing; // fan: who has not got what was published last
static int ending;  // nothing new is asked for
static double last; // when something came

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void watch(struct conn *c, int events) {
    if (events == c->watched) return;
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event))
        fail("cannot watch a connection: %s", strerror(errno));
    c->watched = events;
}

// push sends what is left of data, as far as the socket takes it.
static void push(struct conn *c, const void *data, size_t size) {
    ssize_t k = send(c->fd, (const char *)data + c->asked, size - c->asked, MSG_NOSIGNAL);
    if (k < 0 && errno != EAGAIN)
        fail("cannot send a %s to 127.0.0.1:%d: %s", c->state == OPEN ? "message" : "request",
             ntohs(server.sin_port), strerror(errno));
    if (k > 0) c->asked += k;
    watch(c, c->asked < size ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

// publish sends the message on the connection that the others hear it of, or that echoes it.
static void publish(struct conn *c) {
    c->asked = 0;
    push(c, frame, frame_size);
}

// dial begins a handshake. On the loopback interface a connection stands when connect
// returns, so that the request mostly goes out at once.
static void dial(struct conn *c) {
    int one = 1, index = c - conns;
    begun++;
    *c = (struct conn){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    if (c->fd < 0) fail("cannot open a socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (total > PER_ADDRESS) {
        struct sockaddr_in from = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK + index / PER_ADDRESS)};
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) fail("cannot bind a source address: %s", strerror(errno));
    }
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS)
        fail("cannot connect to 127.0.0.1:%d: %s", ntohs(server.sin_port), strerror(errno));
    push(c, request, request_size);
}

// reset ends a connection without TIME_WAIT, so that local ports do not run out.
static void reset(struct conn *c) {
    struct linger now = {.l_onoff = 1};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(c->fd);
}

// upgraded is called for the end of a handshake.
static void upgraded(struct conn *c) {
    c->state = OPEN;
    c->got = 0;
    opened++;
    if (work == CONNECT) {
        count++;
        reset(c);
        if (!ending) dial(c);
    } else if (begun < (uint64_t)total) {
        dial(&conns[begun]);
    }
}

// response takes n bytes of one. Nothing may follow it: nothing was asked for yet.
static void response(struct conn *c, ssize_t n) {
    static const char want[] = "HTTP/1.1 101";
    for (ssize_t i = 0; i < n; i++, c->got++) {
        if (c->got < sizeof want - 1 && buffer[i] != want[c->got])
            fail("the server refused a handshake: %.*s", (int)strcspn((char *)buffer, "\r\n"), buffer);
        c->blank = buffer[i] == "\r\n\r\n"[c->blank] ? c->blank + 1 : buffer[i] == '\r';
        if (c->blank < 4) continue;
        if (i + 1 < n) fail("%zd bytes came behind a handshake, and nothing was asked for", n - i - 1);
        upgraded(c);
        return;
    }
}

// delivered is called for every message that came whole.
static void delivered(struct conn *c) {
    c->got = 0;
    c->heard++;
    count++;
    if (work == ECHO && !ending) {
        c->due++;
        publish(c);
    } else if (work == FAN && --missing == 0 && !ending) {
        published++;
        missing = total;
        publish(&conns[0]);
    }
}

// message takes n bytes of the one that is due.
static void message(struct conn *c, size_t n) {
    if (c->heard == (work == FAN ? published : c->due)) fail("a message came that nobody sent, or one came twice");
    if (n > reply_size - c->got) fail("%zu bytes too many came", n - (reply_size - c->got));
    if (memcmp(buffer, reply + c->got, n))
        fail("a message came back changed, within bytes %u to %zu of a frame of %zu (one unfragmented binary frame is due)",
             c->got, c->got + n, reply_size);
    c->got += n;
    if (c->got == reply_size) delivered(c);
}

static void serve(struct conn *c, int events, double t) {
    if (events & EPOLLOUT) push(c, c->state == OPEN ? (void *)frame : request, c->state == OPEN ? frame_size : request_size);
    if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
    ssize_t n = recv(c->fd, buffer, sizeof buffer - 1, 0);
    if (n < 0 && errno == EAGAIN) return;
    const char *when = c->state == OPEN ? "while messages were due" : "during a handshake";
    if (n < 0) fail("a connection broke %s: %s", when, strerror(errno));
    if (n == 0) fail("the server closed a connection %s", when);
    last = t;
    if (c->state == OPEN) {
        message(c, n);
        return;
    }
    buffer[n] = 0;
    response(c, n);
}

// turn serves one batch of events and returns when that was.
static double turn(void) {
    static struct epoll_event events[BATCH];
    int n = epoll_wait(epoll, events, BATCH, TICK);
    double t = now();
    if (t - last > silence) fail("nothing came for %.0f s: a message, or the answer to a handshake, was lost", silence);
    for (int i = 0; i < n; i++) serve(events[i].data.ptr, events[i].events, t);
    return t;
}

// raise_conns opens the connections of echo and fan.
static void raise_conns(void) {
    while (begun < (uint64_t)total && begun < UNDER_WAY) dial(&conns[begun]);
    while (opened < (uint64_t)total) turn();
    for (double end = now() + settle; work == FAN && turn() < end;) last = now();
}

// go asks for the first messages, or handshakes.
static void go(void) {
    last = now();
    if (work == FAN) {
        published = 1;
        missing = total;
        publish(&conns[0]);
        return;
    }
    for (int i = 0; i < total; i++) {
        if (work == CONNECT) {
            dial(&conns[i]);
        } else {
            conns[i].due = 1;
            publish(&conns[i]);
        }
    }
}

static int in_flight(void) {
    if (work == FAN) return missing > 0;
    if (work == CONNECT) return opened < begun;
    for (int i = 0; i < total; i++)
        if (conns[i].heard < conns[i].due) return 1;
    return 0;
}

// measure runs the load, and then waits for what is in flight: what the server lost is
// found out then at the latest.
static void measure(double warmup, double seconds) {
    double start = now();
    while (turn() < start + warmup) {}
    puts("start");
    fflush(stdout);
    uint64_t before = count;
    start = now();
    while (turn() < start + seconds) {}
    uint64_t measured = count - before;
    printf("{\"count\":%lu,\"seconds\":%.6f}\n", measured, now() - start);
    fflush(stdout);
    ending = 1;
    while (in_flight()) turn();
    if (!measured) fail("nothing was measured: no message, or handshake, was answered in time");
}

// prepare makes the frame that is sent, and the one that has to come back.
static void prepare(size_t size) {
    uint32_t key;
    unsigned char head[10];
    if (getrandom(&key, sizeof key, 0) != sizeof key) fail("no random bytes");
    size_t n = put_head(head, size);
    reply_size = n + size;
    frame_size = reply_size + 4;
    frame = malloc(frame_size), reply = malloc(reply_size);
    if (!frame || !reply) fail("out of memory");
    memcpy(reply, head, n);
    for (size_t i = 0; i < size; i++) reply[n + i] = 'a' + i % 15; // no 's', which asks a server to wait
    memcpy(frame, head, n);
    frame[1] |= 0x80;
    memcpy(frame + n, &key, 4);
    mask(frame + n + 4, reply + n, size, key);
}

static void prepare_request(void) {
    unsigned char key[16];
    char text[25];
    if (getrandom(key, sizeof key, 0) != sizeof key) fail("no random bytes");
    base64(text, key, sizeof key);
    request_size = snprintf(request, sizeof request,
                            "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
                            ntohs(server.sin_port), text);
}

static double seconds_of(const char *text) {
    char *end;
    double v = strtod(text, &end);
    return end == text || *end || !(v >= 0 && v <= 86400) ? -1 : v;
}

__attribute__((noreturn)) static void usage(void) {
    fputs("usage: load echo|fan PORT CONNS SIZE WARMUP SECONDS, or load connect PORT CONCURRENCY WARMUP SECONDS;"
          " SIZE at most 4194304\n", stderr);
    exit(2);
}

int main(int argc, char **argv) {
    static const char *works[] = {"echo", "fan", "connect"};
    int found = -1;
    for (int i = 0; argc > 1 && i < 3; i++)
        if (!strcmp(argv[1], works[i])) found = i;
    if (found < 0 || argc != (found == CONNECT ? 6 : 7)) usage();
    work = found;
    long port = whole_number(argv[2], 65535), size = work == CONNECT ? 0 : whole_number(argv[4], MAX_MESSAGE);
    double warmup = seconds_of(argv[argc - 2]), seconds = seconds_of(argv[argc - 1]);
    total = whole_number(argv[3], 10 << 20);
    if (port < 1 || total < 1 || size < 0 || warmup < 0 || seconds <= 0) usage();
    server.sin_port = htons(port);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    more_files();
    prepare_request();
    prepare(size);
    conns = calloc(total, sizeof *conns);
    if (!conns) fail("out of memory");
    epoll = epoll_create1(0);
    last = now();
    if (work != CONNECT) raise_conns();
    go();
    measure(warmup, seconds);
}
