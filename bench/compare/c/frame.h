// Frames as RFC 6455, section 5.2, has them.
#ifndef FRAME_H
#define FRAME_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

enum { MAX_MESSAGE = 4 << 20 }; // bytes of payload

// head_size is how long a frame's header is, without the key, by its second byte.
static inline size_t head_size(unsigned char second) {
    unsigned len = second & 127;
    return len < 126 ? 2 : len == 126 ? 4 : 10;
}

// wanted is how many bytes, counted from the frame's first, are needed next: for the
// header, and for the whole frame as soon as the header is there. A masked frame is
// whole in p[0:n) if that is not above n. The sum cannot overflow: a length above
// 2^62 is taken for 2^62.
static inline size_t wanted(const unsigned char *p, size_t n) {
    if (n < 2) return 2;
    size_t head = head_size(p[1]), len = p[1] & 127;
    if (n < head + 4) return head + 4;
    if (head == 4) len = (size_t)p[2] << 8 | p[3];
    if (head == 10) {
        uint64_t v;
        memcpy(&v, p + 2, 8);
        v = be64toh(v);
        len = v >> 62 ? (size_t)1 << 62 : v;
    }
    return head + 4 + len;
}

// put_head writes the header of an unfragmented, unmasked binary frame, and returns its size.
static inline size_t put_head(unsigned char *p, size_t len) {
    p[0] = 0x80 | OP_BINARY;
    p[1] = (unsigned char)(len < 126 ? len : len < 65536 ? 126 : 127);
    size_t head = head_size(p[1]);
    for (size_t i = head; i > 2; i--, len >>= 8) p[i - 1] = (unsigned char)len;
    return head;
}

// mask XORs n bytes with the key, from one place to the same one or one further down,
// which may overlap it: a block is read before anything is written over it. The
// compiler makes vector instructions of the blocks; over a plain loop it would not
// dare to, because of the overlap.
static inline void mask(unsigned char *to, const unsigned char *from, size_t n, uint32_t key) {
    typedef uint32_t block __attribute__((vector_size(64)));
    block keys = (block){0} + key;
    for (; n >= 64; n -= 64, from += 64, to += 64) {
        block v;
        memcpy(&v, from, 64);
        v ^= keys;
        memcpy(to, &v, 64);
    }
    uint64_t twice = key | (uint64_t)key << 32, v;
    for (; n >= 8; n -= 8, from += 8, to += 8) {
        memcpy(&v, from, 8);
        v ^= twice;
        memcpy(to, &v, 8);
    }
    unsigned char bytes[4];
    memcpy(bytes, &key, 4);
    for (size_t i = 0; i < n; i++) to[i] = from[i] ^ bytes[i & 3];
}

#endif
