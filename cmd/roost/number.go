package main

import (
	"fmt"
	"math"
	"strconv"
)

// The flags' numbers refuse what a Config could not tell from a field that was left out.

// positive is a count of one at least.
type positive int

// UnmarshalText reads it.
func (p *positive) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no whole number from 1 on", text)
	}
	*p = positive(n)
	return nil
}

// frequency is how often something happens in a second: more than never.
type frequency float64

// UnmarshalText reads it.
func (f *frequency) UnmarshalText(text []byte) error {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		return fmt.Errorf("%q is no rate: write a number above 0, such as 50", text)
	}
	*f = frequency(v)
	return nil
}

// share is a part of all: more than nobody.
type share float64

// UnmarshalText reads it.
func (s *share) UnmarshalText(text []byte) error {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(v > 0 && v <= 1) {
		return fmt.Errorf("%q is no share: write a number above 0 and up to 1, such as 0.1", text)
	}
	*s = share(v)
	return nil
}
