package server

import (
	"sync"
	"testing"
)

// TestStatsMayBeAskedForWhileTheServerStarts is for the race detector.
func TestStatsMayBeAskedForWhileTheServerStarts(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			for range 100 {
				if st := s.Stats(); st.Open != 0 {
					t.Errorf("%d connections are open", st.Open)
				}
			}
		})
	}
	if _, err := s.Listen("127.0.0.1:0"); err != nil {
		t.Error(err)
	}
	asking.Wait()
	if _, err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
