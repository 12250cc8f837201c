// Package guard fails when the server starts to work more for a message. It has
// only tests, and none of them looks at a clock: they count what a machine does the same
// however busy it is. Linux on amd64, where the counting programs are; the tests skip where one is
// missing, and say so.
//
//   - Instructions, by valgrind's callgrind, of decoding, headers, handshakes, an
//     echo and a publication. Each is held, as a ratio to a yardstick, against
//     testdata/baseline.json. The yardstick is the same work with gobwas/ws, or a
//     bare socket, in the same binary: what another compiler or
//     library does to both says nothing about the server. An absolute count is in
//     the file to be read, and is not compared.
//   - System calls, by strace, of an echo and a publication: one recvfrom and one
//     sendto a message, and waits that many connections share. These limits are absolute.
//
// Allocations are counted by the tests of each package (go test -run Alloc).
//
// A ratio that grew by more than the tolerance fails; one that shrank is told. Who
// means it writes a new baseline and says in the commit why:
//
//	go test -count=1 ./internal/guard -update
//
// To see where instructions went, let callgrind write its profile:
//
//	CGO_ENABLED=0 go test -c -o guard.test ./internal/guard
//	GOMAXPROCS=1 GOGC=off GODEBUG=asyncpreemptoff=1,cpu.rdtscp=off \
//		valgrind --tool=callgrind '--zero-before=*/guard.begin' ./guard.test work echo 6400
//	callgrind_annotate callgrind.out.*
package guard
