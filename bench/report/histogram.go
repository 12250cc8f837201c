package report

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The histograms tell values apart by a thousandth, from a microsecond to an hour;
// what is longer counts as an hour. All have the same layout, so that they merge exactly.
const (
	lowest  = int64(time.Microsecond)
	highest = int64(time.Hour)
	digits  = 3
)

// Histogram counts durations. Merging two gives what one would hold that had
// recorded all. Its JSON is HdrHistogram's compressed V2 encoding in base64, in
// nanoseconds. Not safe for concurrent use.
type Histogram struct {
	h      *hdrhistogram.Histogram
	packed *hdrhistogram.PackedHistogram // instead of h
}

// counts is what both forms can tell.
type counts interface {
	TotalCount() int64
	ValueAtPercentile(percent float64) int64
	Min() int64
	Mean() float64
	EncodeV2() ([]byte, error)
}

// NewHistogram makes an empty one. It takes about 180 KiB.
func NewHistogram() *Histogram {
	return &Histogram{h: hdrhistogram.New(lowest, highest, digits)}
}

// Pack makes h small: a few bytes for each value that is there. A long run keeps a few
// histograms for every second. It can be used as before, and is unpacked by what
// changes it.
func (h *Histogram) Pack() {
	if h == nil || h.packed != nil {
		return
	}
	h.packed = hdrhistogram.NewPacked(lowest, highest, digits)
	h.packed.MergeFrom(h.h) // of the same layout, so that nothing is dropped
	h.packed.Compact()
	h.h = nil
}

// dense unpacks h.
func (h *Histogram) dense() *hdrhistogram.Histogram {
	if h.packed != nil {
		h.h = hdrhistogram.New(lowest, highest, digits)
		h.packed.MergeInto(h.h)
		h.packed = nil
	}
	return h.h
}

func (h *Histogram) counts() counts {
	if h.packed != nil {
		return h.packed
	}
	return h.h
}

// Record counts d; less than zero counts as zero.
func (h *Histogram) Record(d time.Duration) {
	// The bounds are inside the layout, so there is no error left.
	_ = h.dense().RecordValue(min(max(int64(d), 0), highest))
}

// Merge adds what o, which may be nil, has counted.
func (h *Histogram) Merge(o *Histogram) {
	switch {
	case o == nil:
	case o.packed != nil:
		o.packed.MergeInto(h.dense())
	default:
		h.dense().Merge(o.h)
	}
}

// Reset forgets everything.
func (h *Histogram) Reset() { h.dense().Reset() }

// Clone returns a copy.
func (h *Histogram) Clone() *Histogram {
	c := NewHistogram()
	c.Merge(h)
	return c
}

// Count returns how many durations were recorded. A nil Histogram has none.
func (h *Histogram) Count() int64 {
	if h == nil {
		return 0
	}
	return h.counts().TotalCount()
}

// Quantile returns the duration that q (0 to 1) of all do not exceed, to a
// thousandth, or 0 when nothing was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.counts().ValueAtPercentile(100 * q))
}

// Min returns the shortest duration, to a thousandth, or 0 when nothing was recorded.
func (h *Histogram) Min() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.counts().Min())
}

// Max returns the longest duration, to a thousandth.
func (h *Histogram) Max() time.Duration { return h.Quantile(1) }

// Mean returns the mean, or 0 when nothing was recorded.
func (h *Histogram) Mean() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.counts().Mean())
}

// Equal reports whether both have counted the same.
func (h *Histogram) Equal(o *Histogram) bool { return h.Clone().h.Equals(o.Clone().h) }

// MarshalJSON encodes the counts.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	// The encoder already ends in base64.
	b, err := h.counts().EncodeV2()
	if err != nil {
		return nil, err
	}
	return json.Marshal(string(b))
}

// UnmarshalJSON reads what MarshalJSON made; a histogram of another layout is an error.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if _, err := base64.StdEncoding.DecodeString(s); err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	d, err := hdrhistogram.Decode([]byte(s))
	if err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	if d.LowestTrackableValue() != lowest || d.HighestTrackableValue() != highest || d.SignificantFigures() != digits {
		return fmt.Errorf("histogram: from %d to %d ns with %d digits, not from %d to %d with %d",
			d.LowestTrackableValue(), d.HighestTrackableValue(), d.SignificantFigures(), lowest, highest, digits)
	}
	h.h, h.packed = d, nil
	return nil
}
