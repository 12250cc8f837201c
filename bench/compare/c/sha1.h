// SHA-1 (RFC 3174), for Sec-WebSocket-Accept only.
#ifndef SHA1_H
#define SHA1_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t sha1_roll(uint32_t v, int by) { return v << by | v >> (32 - by); }

// sha1_block takes 64 bytes into the state.
static inline void sha1_block(uint32_t state[5], const unsigned char *p) {
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)p[4 * t] << 24 | (uint32_t)p[4 * t + 1] << 16 | (uint32_t)p[4 * t + 2] << 8 | p[4 * t + 3];
    for (int t = 16; t < 80; t++) w[t] = sha1_roll(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (int t = 0; t < 80; t++) {
        uint32_t f, k;
        if (t < 20) f = (b & c) | (~b & d), k = 0x5a827999;
        else if (t < 40) f = b ^ c ^ d, k = 0x6ed9eba1;
        else if (t < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
        else f = b ^ c ^ d, k = 0xca62c1d6;
        uint32_t next = sha1_roll(a, 5) + f + e + w[t] + k;
        e = d, d = c, c = sha1_roll(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

// sha1 hashes at most 119 bytes, which two blocks hold.
static inline void sha1(unsigned char sum[20], const void *data, size_t n) {
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char blocks[128] = {0};
    size_t size = n < 56 ? 64 : 128;
    memcpy(blocks, data, n);
    blocks[n] = 0x80;
    blocks[size - 2] = (unsigned char)(n * 8 >> 8);
    blocks[size - 1] = (unsigned char)(n * 8);
    for (size_t i = 0; i < size; i += 64) sha1_block(state, blocks + i);
    for (int i = 0; i < 20; i++) sum[i] = (unsigned char)(state[i / 4] >> (24 - i % 4 * 8));
}

#endif
