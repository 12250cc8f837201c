package feed

import (
	"strings"
	"testing"
)

func TestDecimalKeepsEveryDigit(t *testing.T) {
	for _, s := range []string{
		"0", "1", "-1", "1.121200", "0.00000001", "-0.05", "86.655", "0.0", "0.10", "123456789012345678", "0.12345678901234567", "-9.99999999999999999",
	} {
		d, err := ParseDecimal(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if got := d.String(); got != s {
			t.Errorf("%s was written back as %s", s, got)
		}
		if got := string(d.Append([]byte("x"))); got != "x"+s {
			t.Errorf("%s appended to x gives %s", s, got)
		}
	}
}

func TestDecimalRefusesWhatItCouldNotWriteBack(t *testing.T) {
	for _, s := range []string{
		"", "-", ".", "1.", ".5", "+1", "01", "00", "-01.5", "-0", "-0.00", "1e5", "1,5", " 1", "1 ", "1.2.3", "NaN", "Inf", "0x10", "１",
		"1234567890123456789", "0.1234567890123456789",
	} {
		if d, err := ParseDecimal(s); err == nil {
			t.Errorf("%q was read as %s", s, d)
		}
	}
}

func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"1.121200", "-0.5", "0", "1e9", "00.1", "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDecimal(s)
		if again, err2 := ParseDecimal([]byte(s)); again != d || (err2 == nil) != (err == nil) {
			t.Fatalf("%q as bytes gives %v, %v", s, again, err2)
		}
		if err == nil && d.String() != s {
			t.Fatalf("%q was written back as %q", s, d)
		}
	})
}

func TestDecimalNoNumber(t *testing.T) {
	var d Decimal
	if d.Valid() || d.String() != "" {
		t.Errorf("the zero Decimal is %q", d)
	}
	if !NewDecimal(0, 0).Valid() {
		t.Error("nought is a number")
	}
}

func TestDecimalNewPanicsAboveTheLargestScale(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("scale 19 was taken")
		}
	}()
	if got := NewDecimal(1, 18).String(); got != "0."+strings.Repeat("0", 17)+"1" {
		t.Errorf("10^-18 is %s", got)
	}
	NewDecimal(1, 19)
}

func TestDecimalAdd(t *testing.T) {
	for _, c := range []struct {
		a, b, sum string
		ok        bool
	}{
		{"1", "2", "3", true},
		{"1.50", "2.5", "4.00", true},
		{"0.1", "0.02", "0.12", true},
		{"-1.5", "1", "-0.5", true},
		{"", "2.50", "2.50", true},
		{"2.50", "", "2.50", true},
		{"", "", "", true},
		{"123456789012345678", "0.01", "123456789012345678", false},
		{"0.01", "123456789012345678", "0.01", false},
		{"-123456789012345678", "0.01", "-123456789012345678", false},
	} {
		a, _ := ParseDecimal(c.a)
		b, _ := ParseDecimal(c.b)
		sum, ok := a.Add(b)
		if sum.String() != c.sum || ok != c.ok {
			t.Errorf("%q + %q = %q, %v: want %q, %v", c.a, c.b, sum, ok, c.sum, c.ok)
		}
	}
	for _, units := range []int64{1<<63 - 1, -1 << 63} {
		if sum, ok := NewDecimal(units, 0).Add(NewDecimal(units, 0)); ok {
			t.Errorf("twice %d is %s", units, sum)
		}
	}
}

func TestDecimalAllocatesNothing(t *testing.T) {
	text, dst := []byte("1.121200"), make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		d, _ := ParseDecimal(text)
		dst = d.Append(dst[:0])
	}); n != 0 {
		t.Errorf("%v allocations for one number read and written", n)
	}
}
