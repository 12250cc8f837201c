// The command line of floor.
#ifndef FLAGS_H
#define FLAGS_H

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <string.h>

#include "net.h"

enum mode { ECHO, BROADCAST, SLOW };

struct flags {
    const char *addr; // as it was written
    struct sockaddr_in to;
    enum mode mode;
};

__attribute__((noreturn)) static inline void usage(void) {
    fputs("usage: floor --addr HOST:PORT --mode echo|broadcast|slow, with an IPv4 address as HOST\n", stderr);
    exit(2);
}

static inline struct sockaddr_in address(const char *addr) {
    char host[16] = "";
    const char *colon = strrchr(addr, ':');
    struct sockaddr_in to = {.sin_family = AF_INET};
    long port = colon ? whole_number(colon + 1, 65535) : -1;
    if (port < 0 || colon - addr >= (long)sizeof host) usage();
    memcpy(host, addr, colon - addr);
    to.sin_port = htons(port);
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1) usage();
    return to;
}

// flags_of reads the command line. It ends the program with status 2 over a mistake.
static inline struct flags flags_of(int argc, char **argv) {
    static const char *modes[] = {"echo", "broadcast", "slow"};
    static const struct option options[] = {{"addr", 1, NULL, 'a'}, {"mode", 1, NULL, 'm'}, {0}};
    struct flags flags = {0};
    int found = -1;
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        if (o == '?') usage();
        if (o == 'a') flags.addr = optarg;
        for (int i = 0; o == 'm' && i < 3; i++)
            if (!strcmp(optarg, modes[i])) found = i;
    }
    if (!flags.addr || found < 0 || optind < argc) usage();
    flags.mode = found;
    flags.to = address(flags.addr);
    return flags;
}

#endif
