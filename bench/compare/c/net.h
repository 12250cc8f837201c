// What floor.c and load.c both need of the system.
#ifndef NET_H
#define NET_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

// fail ends the program with status 1 and one sentence.
__attribute__((noreturn, format(printf, 1, 2))) static inline void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

// whole_number reads text as a decimal number of at most `most`, and is -1 if it is none.
static inline long whole_number(const char *text, long most) {
    char *end;
    if (*text < '0' || *text > '9') return -1;
    long n = strtol(text, &end, 10);
    return *end || n > most ? -1 : n;
}

// more_files raises the soft limit of open files to the hard one, and returns it.
static inline size_t more_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) fail("cannot read the limit of open files");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit)) fail("cannot raise the limit of open files");
    return limit.rlim_cur;
}

#endif
