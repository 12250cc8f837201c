package bench

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// Stamp finds the time that a server put into its messages.
type Stamp struct {
	path   string // of JSON; empty for binary
	offset int
	read   func(*Stamp, []byte) (int64, bool)
	unit   int64 // nanoseconds; 0: told by the size of the number
}

var stampUnits = map[string]time.Duration{
	"s": time.Second, "ms": time.Millisecond, "us": time.Microsecond, "ns": time.Nanosecond,
}

// stampKinds read 8 bytes.
var stampKinds = map[string]func(*Stamp, []byte) (int64, bool){
	"int64le": func(s *Stamp, b []byte) (int64, bool) { return s.whole(int64(binary.LittleEndian.Uint64(b))) },
	"int64be": func(s *Stamp, b []byte) (int64, bool) { return s.whole(int64(binary.BigEndian.Uint64(b))) },
	"float64le": func(s *Stamp, b []byte) (int64, bool) {
		return s.fraction(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	},
	"float64be": func(s *Stamp, b []byte) (int64, bool) {
		return s.fraction(math.Float64frombits(binary.BigEndian.Uint64(b)))
	},
}

// ParseStamp reads where a stamp is:
//
//	json:data.ts       a number or an RFC 3339 string in JSON, by a path in the syntax of gjson
//	int64le:8          8 bytes at an offset in bytes; int64be, float64le, float64be alike
//
// Both count from 1970, and a unit may follow: json:data.ts,ms or int64le:8,ns. Without
// one it is told by the size of the number.
func ParseStamp(text string) (*Stamp, error) {
	kind, where, ok := strings.Cut(text, ":")
	s := &Stamp{}
	if at := strings.LastIndexByte(where, ','); at >= 0 {
		if unit, known := stampUnits[where[at+1:]]; known {
			where, s.unit = where[:at], int64(unit)
		}
	}
	s.read = stampKinds[kind]
	switch {
	case !ok || where == "":
	case kind == "json":
		s.path = where
		return s, nil
	case s.read != nil:
		n, err := strconv.Atoi(where)
		if err == nil && n >= 0 && n <= maxSize {
			s.offset = n
			return s, nil
		}
	}
	return nil, fmt.Errorf("stamp %q: write json:PATH or int64le:OFFSET (int64be, float64le, float64be), with ,s ,ms ,us or ,ns behind it if need be", text)
}

// Time returns the stamp in a message, in nanoseconds since 1970.
func (s *Stamp) Time(payload []byte) (int64, bool) {
	if s.path == "" {
		if len(payload) < s.offset+8 {
			return 0, false
		}
		return s.read(s, payload[s.offset:])
	}
	r := gjson.GetBytes(payload, s.path)
	switch r.Type {
	case gjson.Number:
		return s.number(r.Raw)
	case gjson.String:
		if t, err := time.Parse(time.RFC3339Nano, r.Str); err == nil {
			// Outside of 1678 to 2262 these are no nanoseconds of an int64.
			n := t.UnixNano()
			return n, n > 0 && time.Unix(0, n).Equal(t)
		}
		return s.number(r.Str)
	}
	return 0, false
}

func (s *Stamp) number(text string) (int64, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return s.whole(n)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false
	}
	return s.fraction(f)
}

// whole and fraction turn a count of units into nanoseconds. A float64 holds today's
// only to a quarter of a microsecond.
func (s *Stamp) whole(n int64) (int64, bool) {
	unit := s.scale(float64(n))
	return n * unit, n > 0 && n <= math.MaxInt64/unit
}

func (s *Stamp) fraction(f float64) (int64, bool) {
	n := f * float64(s.scale(f))
	if !(n >= 1 && n < math.MaxInt64) {
		return 0, false
	}
	return int64(n), true
}

// scale returns how many nanoseconds one is, by the unit or the size of the number:
// today is 1.7e9 seconds, 1.7e12 milliseconds and so on since 1970.
func (s *Stamp) scale(v float64) int64 {
	switch {
	case s.unit != 0:
		return s.unit
	case v < 1e11:
		return int64(time.Second)
	case v < 1e14:
		return int64(time.Millisecond)
	case v < 1e17:
		return int64(time.Microsecond)
	}
	return 1
}
