package live

import (
	"slices"
	"testing"
)

func sum(a, b float64) float64 { return a + b }

func TestASeriesHasAValueForEachSecond(t *testing.T) {
	var s series
	s.add(3, 1, sum)
	s.add(3, 2, sum) // the other half of the second
	s.add(6, 5, sum) // two seconds of which nobody told
	s.add(4, 9, sum) // too late
	if want := []float64{3, 0, 0, 5}; !slices.Equal(s.values, want) {
		t.Errorf("values %v, want %v", s.values, want)
	}
	if got, want := s.seen(2), []float64{0, 5}; !slices.Equal(got, want) {
		t.Errorf("the last two are %v, want %v", got, want)
	}
}

func TestASeriesForgets(t *testing.T) {
	var s series
	for second := range remembered {
		s.add(second, float64(second+1), sum)
	}
	if len(s.values) != remembered || s.values[0] != 1 {
		t.Fatalf("%d values from %v", len(s.values), s.values[0])
	}
	s.add(remembered, 7, sum)
	if len(s.values) != remembered || s.values[0] != 2 || s.values[remembered-1] != 7 {
		t.Errorf("%d values from %v to %v", len(s.values), s.values[0], s.values[len(s.values)-1])
	}
	s.add(1_000_000_000, 8, sum) // a suspended process
	if len(s.values) != remembered || s.values[0] != 0 || s.values[remembered-1] != 8 {
		t.Errorf("%d values from %v to %v", len(s.values), s.values[0], s.values[len(s.values)-1])
	}
}

func TestCurveAndBar(t *testing.T) {
	tests := []struct{ got, want string }{
		{curve([]float64{0, 0.001, 1, 2, 4, 8}, 8), " ▁▁▂▄█"},
		{bar(0, 4), "░░░░"},
		{bar(-1, 4), "░░░░"},
		{bar(0.5, 4), "██░░"},
		{bar(0.99, 4), "████"},
		{bar(1, 4), "████"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
