package feed

import (
	"errors"
	"math"
	"strconv"
)

// Decimal is a price or a size as a whole number of units and the count of digits after the point. It keeps every digit
// it was parsed from, trailing zeros included: "1.121200" stays "1.121200", which no float64 promises.
// The zero Decimal is no number at all (Valid is false) and is left out of messages.
type Decimal struct {
	units int64
	scale uint8
	valid bool
}

// maxScale is the most digits after the point: 10^18 is the largest power of ten in an int64.
const maxScale = 18

// errDecimal says what ParseDecimal takes, for the person who has to mend a file.
var errDecimal = errors.New("is no decimal number (want digits, a point and digits, as in 1.12120; at most 18 digits)")

// NewDecimal is units / 10^scale. It panics when scale is above 18.
func NewDecimal(units int64, scale uint8) Decimal {
	if scale > maxScale {
		panic("feed: a Decimal has at most 18 digits after the point")
	}
	return Decimal{units: units, scale: scale, valid: true}
}

// ParseDecimal reads a number in its shortest plain form: an optional minus, digits without a leading zero to spare, and
// optionally a point and digits. What it accepts, Append writes back byte for byte; anything else is an error, exponents,
// a plus, and a negative zero among them.
func ParseDecimal[T string | []byte](s T) (Decimal, error) {
	digits, negative := s, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	var units int64
	count, point := 0, -1
	for i := 0; i < len(digits); i++ {
		switch c := digits[i]; {
		case c == '.' && point < 0:
			point = i
		case '0' <= c && c <= '9' && count < maxScale:
			units = units*10 + int64(c-'0')
			count++
		default:
			return Decimal{}, errDecimal
		}
	}
	whole := len(digits)
	if point >= 0 {
		whole = point
	}
	switch {
	case whole == 0, point == len(digits)-1: // "", ".5", "5."
		return Decimal{}, errDecimal
	case whole > 1 && digits[0] == '0': // "01"
		return Decimal{}, errDecimal
	case negative && units == 0: // "-0"
		return Decimal{}, errDecimal
	}
	if negative {
		units = -units
	}
	return Decimal{units: units, scale: uint8(count - whole), valid: true}, nil
}

// Valid reports whether d is a number.
func (d Decimal) Valid() bool { return d.valid }

// Append writes d to dst in plain form, nothing when d is not Valid. It allocates only when dst has to grow.
func (d Decimal) Append(dst []byte) []byte {
	if !d.valid {
		return dst
	}
	units := uint64(d.units)
	if d.units < 0 {
		dst = append(dst, '-')
		units = -units
	}
	start := len(dst)
	dst = strconv.AppendUint(dst, units, 10)
	if d.scale == 0 {
		return dst
	}
	scale := int(d.scale)
	if missing := scale + 1 - (len(dst) - start); missing > 0 { // 5 at scale 2 is 0.05: zeros up to the digit before the point
		dst = append(dst, "0000000000000000000"[:missing]...)
		copy(dst[start+missing:], dst[start:])
		for i := range missing {
			dst[start+i] = '0'
		}
	}
	dst = append(dst, 0)
	point := len(dst) - 1 - scale
	copy(dst[point+1:], dst[point:])
	dst[point] = '.'
	return dst
}

// String is d in plain form, empty when d is not Valid.
func (d Decimal) String() string { return string(d.Append(nil)) }

// Add is d + o at the larger of both scales; a number that is not Valid counts as nothing. ok is false, and the result d,
// when the sum does not fit 63 bits.
func (d Decimal) Add(o Decimal) (sum Decimal, ok bool) {
	if !d.valid {
		return o, true
	}
	if !o.valid {
		return d, true
	}
	a, b, scale := d.units, o.units, max(d.scale, o.scale)
	if !grow(&a, scale-d.scale) || !grow(&b, scale-o.scale) {
		return d, false
	}
	if (b > 0 && a > math.MaxInt64-b) || (b < 0 && a < math.MinInt64-b) {
		return d, false
	}
	return Decimal{units: a + b, scale: scale, valid: true}, true
}

// grow multiplies *n by 10^digits and reports whether it fits.
func grow(n *int64, digits uint8) bool {
	p := pow10[digits]
	if *n > math.MaxInt64/p || *n < math.MinInt64/p {
		return false
	}
	*n *= p
	return true
}

var pow10 = func() (p [maxScale + 1]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()
