package live

import (
	"bytes"
	"os"
)

// unasking is a terminal that is not asked anything. Bubbletea asks which modes it
// knows (DECRQM) even when it reads no input; the answers would then stand on
// the screen, and in the shell's next command line.
type unasking struct{ *os.File }

// questions are what bubbletea asks then: synchronized output and grapheme widths.
var questions = [][]byte{[]byte("\x1b[?2026$p"), []byte("\x1b[?2027$p")}

// Write writes b without the questions.
func (u unasking) Write(b []byte) (int, error) {
	rest := b
	for _, q := range questions {
		rest = bytes.ReplaceAll(rest, q, nil)
	}
	if len(rest) == 0 {
		return len(b), nil
	}
	if _, err := u.File.Write(rest); err != nil {
		return 0, err
	}
	return len(b), nil
}
