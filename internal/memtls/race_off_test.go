//go:build !race

package memtls

// raceEnabled: the tests run under the race detector.
const raceEnabled = false
