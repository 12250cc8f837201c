// Base64 with padding (RFC 4648, section 4).
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>
#include <stdint.h>

// base64 writes n bytes as text and ends it with a zero byte: 4*((n+2)/3)+1 bytes.
static inline void base64(char *to, const unsigned char *from, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)from[i] << 16;
        if (left > 1) v |= (uint32_t)from[i + 1] << 8;
        if (left > 2) v |= from[i + 2];
        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[v & 63] : '=';
    }
    *to = 0;
}

#endif
