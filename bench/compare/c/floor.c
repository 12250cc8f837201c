//go:build ignore

// floor: what an epoll WebSocket server cannot go far below. One thread, one epoll
// instance, one read and one write per readable socket; frames are unmasked in place.
// It checks almost nothing of what a server has to check: a yardstick, no server.
// It answers whole frames, as a server that hands messages to its program has to;
// fragments of a message go back as they come.
//
// Build: cc -O3 -march=native -o floor floor.c
// Run:   floor --addr HOST:PORT --mode echo|broadcast|slow
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base64.h"
#include "flags.h"
#include "frame.h"
#include "net.h"
#include "sha1.h"

enum {
    READ = 512 << 10,                       // bytes of one read
    LARGE = 256 << 10,                      // a frame above it is gathered in a buffer of SPAN bytes
    SPAN = READ + MAX_MESSAGE + 128,        // a frame may begin anywhere in what was read
    SPARE = 16,                             // buffers of SPAN bytes that are kept for reuse
    REQUEST = 8 << 10,                      // bytes of a handshake
    LAG = 1 << 20,                          // bytes that a subscriber may be behind
    BATCH = 1024,                           // events of one wait
};

// rest is what a connection could not be rid of at once: base[from:to).
struct rest {
    unsigned char *base;
    size_t from, to;
    size_t size; // where `to` may go
    int large;   // base has SPAN bytes, and goes back to the spare ones
};

// conn is all that an idle connection costs: both rests are null then.
struct conn {
    struct rest *in;  // an incomplete frame, or request
    struct rest *out; // what the socket did not take
    enum { FREE, SHAKING, OPEN, CLOSING } state;
};

static enum mode mode;
static int epoll, top;         // top is the highest descriptor that there was
static struct conn *conns;     // by descriptor
static unsigned char *shared;  // what reads go into: SPAN bytes
static unsigned char *spare[SPARE];
static int spares;

static unsigned char *take(void) {
    if (spares) return spare[--spares];
    void *p = mmap(NULL, SPAN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) fail("out of memory");
    return p;
}

static void give(unsigned char *p) {
    if (spares < SPARE) spare[spares++] = p;
    else munmap(p, SPAN);
}

static void *sized(void *p, size_t n) {
    if (!(p = realloc(p, n))) fail("out of memory");
    return p;
}

// copy_of keeps p[0:n) with room for size bytes.
static struct rest *copy_of(const unsigned char *p, size_t n, size_t size) {
    struct rest *r = sized(NULL, sizeof *r);
    int large = size > LARGE && size <= SPAN;
    *r = (struct rest){.base = large ? take() : sized(NULL, size), .to = n, .size = size, .large = large};
    memcpy(r->base, p, n);
    return r;
}

// keep is copy_of, but a large one takes the shared buffer itself instead of copying.
static struct rest *keep(unsigned char *p, size_t n, size_t size) {
    if (size <= LARGE || p < shared || p >= shared + SPAN) return copy_of(p, n, size);
    struct rest *r = sized(NULL, sizeof *r);
    size_t from = p - shared;
    *r = (struct rest){.base = shared, .from = from, .to = from + n, .size = from + size, .large = 1};
    shared = take();
    return r;
}

static void release(struct rest **r) {
    if (!*r) return;
    if ((*r)->large) give((*r)->base);
    else free((*r)->base);
    free(*r);
    *r = NULL;
}

static void drop(int fd) {
    release(&conns[fd].in);
    release(&conns[fd].out);
    conns[fd].state = FREE;
    close(fd);
}

// watch asks for what a connection waits for. Who does not take his echoes is not
// read from: that bounds what is kept for him.
static void watch(int fd) {
    uint32_t events = !conns[fd].out ? EPOLLIN : mode == BROADCAST ? EPOLLIN | EPOLLOUT : EPOLLOUT;
    struct epoll_event event = {.events = events, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

// lag keeps what a socket does not take now. It drops a subscriber that is behind already
// and would be more than LAG with this, and then returns 0.
static int lag(int fd, unsigned char *p, size_t n) {
    struct rest *r = conns[fd].out;
    if (!r) {
        conns[fd].out = mode == BROADCAST ? copy_of(p, n, n) : keep(p, n, n);
        watch(fd);
        return 1;
    }
    size_t behind = r->to - r->from;
    if (behind + n > LAG) {
        drop(fd);
        return 0;
    }
    if (r->to + n > r->size) {
        struct rest *more = copy_of(r->base + r->from, behind, 2 * (behind + n));
        release(&r);
        conns[fd].out = r = more;
    }
    memcpy(r->base + r->to, p, n);
    r->to += n;
    return 1;
}

// say sends p[0:n), now or later. It returns 0 if it dropped the connection.
static int say(int fd, unsigned char *p, size_t n) {
    if (!conns[fd].out) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k == (ssize_t)n) return 1;
        if (k < 0 && errno != EAGAIN) {
            drop(fd);
            return 0;
        }
        if (k > 0) p += k, n -= k;
    }
    return lag(fd, p, n);
}

// flush sends what waited.
static void flush(int fd) {
    struct conn *c = &conns[fd];
    ssize_t k = send(fd, c->out->base + c->out->from, c->out->to - c->out->from, MSG_NOSIGNAL);
    if (k < 0) {
        if (errno != EAGAIN) drop(fd);
        return;
    }
    c->out->from += k;
    if (c->out->from < c->out->to) return;
    release(&c->out);
    if (c->state == CLOSING) shutdown(fd, SHUT_WR);
    watch(fd);
}

// closing waits for the peer's end after the Close: to close now could reset the
// connection, and take the Close away from the peer.
static void closing(int fd) {
    conns[fd].state = CLOSING;
    if (!conns[fd].out) shutdown(fd, SHUT_WR);
}

// turn makes the answer of a whole frame at `to`, which is at most 4 bytes behind its
// beginning, and returns the answer's end.
static inline unsigned char *turn(unsigned char *to, const unsigned char *frame, size_t size) {
    size_t head = head_size(frame[1]), len = size - head - 4;
    uint32_t key;
    memcpy(&key, frame + head, 4);
    unsigned char first = frame[0];
    if ((first & 15) == OP_PING) first ^= OP_PING ^ OP_PONG;
    unsigned char second = frame[1] & 127;
    if (head > 2) memmove(to + 2, frame + 2, head - 2);
    to[0] = first;
    to[1] = second;
    mask(to + head, frame + head + 4, len, key);
    if (mode == SLOW && len && to[head] == 's' && ((first & 15) == OP_TEXT || (first & 15) == OP_BINARY))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    return to + head + len;
}

// leave keeps an incomplete frame for the next read.
static void leave(int fd, unsigned char *p, size_t n) {
    size_t size = wanted(p, n);
    if (size > MAX_MESSAGE + 14) {
        static unsigned char big[] = {0x80 | OP_CLOSE, 2, 1009 >> 8, 1009 & 255};
        if (say(fd, big, sizeof big)) closing(fd);
        return;
    }
    conns[fd].in = keep(p, n, size);
}

// echo answers every whole frame of in[0:n) with one write: the answers are packed
// towards the front. A first frame's payload stays where it is.
static inline void echo(int fd, unsigned char *in, size_t n) {
    unsigned char *end = in + n, *begin = in + 4, *out = begin;
    size_t size;
    int op = 0;
    while (op != OP_CLOSE && (size = wanted(in, end - in)) <= (size_t)(end - in)) {
        op = in[0] & 15;
        if (op != OP_PONG) out = turn(out, in, size);
        in += size;
    }
    if (out > begin && !say(fd, begin, out - begin)) return;
    if (op == OP_CLOSE) closing(fd);
    else if (in < end) leave(fd, in, end - in);
}

// publish sends every whole data frame of in[0:n) to all, with one write for each.
static void publish(int fd, unsigned char *in, size_t n) {
    unsigned char *end = in + n;
    size_t size;
    while ((size = wanted(in, end - in)) <= (size_t)(end - in)) {
        int op = in[0] & 15;
        unsigned char *out = in + 4, *stop = turn(out, in, size);
        in += size;
        if (op < OP_CLOSE) {
            for (int to = 0; to <= top; to++)
                if (conns[to].state == OPEN) say(to, out, stop - out);
        } else if (op != OP_PONG) {
            say(fd, out, stop - out);
        }
        if (conns[fd].state == FREE) return;
        if (op == OP_CLOSE) {
            closing(fd);
            return;
        }
    }
    if (in < end) leave(fd, in, end - in);
}

static inline void answer(int fd, unsigned char *in, size_t n) {
    if (mode == BROADCAST) publish(fd, in, n);
    else echo(fd, in, n);
}

// over says whether a read brought nothing, and drops the connection if it never will.
static inline int over(int fd, ssize_t k) {
    if (k > 0) return 0;
    if (k == 0 || errno != EAGAIN) drop(fd);
    return 1;
}

// gather reads on into an incomplete frame, never beyond its end.
static void gather(int fd) {
    struct rest *r = conns[fd].in;
    ssize_t k = recv(fd, r->base + r->to, r->size - r->to, 0);
    if (over(fd, k) || (r->to += k) < r->size) return;
    conns[fd].in = NULL;
    size_t n = r->to - r->from;
    if (wanted(r->base + r->from, n) > n) {
        leave(fd, r->base + r->from, n); // a header, of which the length is known now
    } else if (r->large) {
        give(shared); // a large frame is answered as if it had come by one read
        shared = r->base;
        answer(fd, shared + r->from, n);
        free(r);
        return;
    } else {
        answer(fd, r->base + r->from, n);
    }
    release(&r);
}

// accept_key makes the value of Sec-WebSocket-Accept of a request, and returns 0 if it has no key.
static int accept_key(char to[29], const char *request) {
    char text[64];
    unsigned char sum[20];
    const char *key = strcasestr(request, "\r\nSec-WebSocket-Key:");
    if (!key) return 0;
    key += 20;
    key += strspn(key, " \t");
    if (strcspn(key, " \t\r") != 24) return 0;
    memcpy(text, key, 24);
    memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    sha1(sum, text, 60);
    base64(to, sum, 20);
    return 1;
}

// shake answers a handshake as soon as it is there.
static void shake(int fd) {
    struct conn *c = &conns[fd];
    size_t n = 0;
    if (c->in) memcpy(shared, c->in->base, n = c->in->to);
    ssize_t k = recv(fd, shared + n, REQUEST - n, 0);
    if (over(fd, k)) return;
    release(&c->in);
    shared[n += k] = 0;
    unsigned char *end = memmem(shared, n, "\r\n\r\n", 4);
    if (!end) {
        if (n == REQUEST) drop(fd);
        else c->in = copy_of(shared, n, n);
        return;
    }
    char text[160], value[29];
    unsigned char after = end[2];
    end[2] = 0;
    if (!accept_key(value, (char *)shared)) {
        static unsigned char refusal[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        if (say(fd, refusal, sizeof refusal - 1)) closing(fd);
        return;
    }
    end[2] = after;
    int size = snprintf(text, sizeof text, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", value);
    c->state = OPEN;
    if (say(fd, (unsigned char *)text, size) && end + 4 < shared + n) answer(fd, end + 4, shared + n - end - 4);
}

// serve is called for every event of a connection, and for one that came too late.
static inline void serve(int fd, uint32_t events) {
    struct conn *c = &conns[fd];
    if (c->out && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) flush(fd);
    else if (c->state == SHAKING) shake(fd);
    else if (c->state == OPEN && c->in) gather(fd);
    else if (c->state != FREE) {
        ssize_t k = recv(fd, shared, READ, 0);
        if (!over(fd, k) && c->state == OPEN) answer(fd, shared, k);
    }
}

static void welcome(int listener) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        conns[fd] = (struct conn){.state = SHAKING};
        if (fd > top) top = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

// listen_on makes the listener. Its TCP_NODELAY goes over to what it accepts.
static int listen_on(const char *addr, struct sockaddr_in *to) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) ||
        bind(fd, (struct sockaddr *)to, sizeof *to) || listen(fd, 4096))
        fail("cannot listen on %s: %s", addr, strerror(errno));
    return fd;
}

// stop_signals makes a descriptor that SIGTERM and SIGINT make readable.
static int stop_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, 0);
}

int main(int argc, char **argv) {
    struct flags flags = flags_of(argc, argv);
    mode = flags.mode;
    conns = calloc(more_files(), sizeof *conns);
    if (!conns) fail("out of memory");
    shared = take();
    int stop = stop_signals(), listener = listen_on(flags.addr, &flags.to);
    epoll = epoll_create1(0);
    struct epoll_event events[BATCH] = {{.events = EPOLLIN, .data.fd = listener}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, events);
    events[0].data.fd = stop;
    epoll_ctl(epoll, EPOLL_CTL_ADD, stop, events);
    for (;;) {
        int n = epoll_wait(epoll, events, BATCH, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) welcome(listener);
            else if (fd == stop) return 0;
            else serve(fd, events[i].events);
        }
    }
}
