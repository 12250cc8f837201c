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
	read   func([]byte) float64
	unit   float64 // nanoseconds; 0: told by the size of the number
}

var stampUnits = map[string]time.Duration{
	"s": time.Second, "ms": time.Millisecond, "us": time.Microsecond, "ns": time.Nanosecond,
}

var stampKinds = map[string]func([]byte) float64{
	"int64le":   func(b []byte) float64 { return float64(int64(binary.LittleEndian.Uint64(b))) },
	"int64be":   func(b []byte) float64 { return float64(int64(binary.BigEndian.Uint64(b))) },
	"float64le": func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) },
	"float64be": func(b []byte) float64 { return math.Float64frombits(binary.BigEndian.Uint64(b)) },
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
			where, s.unit = where[:at], float64(unit)
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
		return s.nanoseconds(s.read(payload[s.offset:]))
	}
	r := gjson.GetBytes(payload, s.path)
	switch r.Type {
	case gjson.Number:
		if n, err := strconv.ParseInt(r.Raw, 10, 64); err == nil && s.scale(float64(n)) == 1 {
			return n, true // a float64 would not hold every nanosecond
		}
		return s.nanoseconds(r.Num)
	case gjson.String:
		if t, err := time.Parse(time.RFC3339Nano, r.Str); err == nil {
			return t.UnixNano(), true
		}
		if f, err := strconv.ParseFloat(r.Str, 64); err == nil {
			return s.nanoseconds(f)
		}
	}
	return 0, false
}

// scale returns how many nanoseconds one is, by the unit or the size of the number:
// today is 1.7e9 seconds, 1.7e12 milliseconds and so on since 1970.
func (s *Stamp) scale(v float64) float64 {
	switch {
	case s.unit != 0:
		return s.unit
	case v < 1e11:
		return 1e9
	case v < 1e14:
		return 1e6
	case v < 1e17:
		return 1e3
	}
	return 1
}

func (s *Stamp) nanoseconds(v float64) (int64, bool) {
	n := v * s.scale(v)
	if !(n > 0 && n < math.MaxInt64) {
		return 0, false
	}
	return int64(n), true
}
