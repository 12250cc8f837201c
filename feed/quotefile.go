package feed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// maxLine bounds a line of a quote file in bytes; a longer one is malformed. It is also all the memory a reader takes.
const maxLine = 4096

// LineError says which line of a file was not understood, and why.
type LineError struct {
	File string
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap is the reason alone.
func (e *LineError) Unwrap() error { return e.Err }

var (
	errLong   = fmt.Errorf("is longer than %d bytes", maxLine)
	errHeader = errors.New("is a header without the columns timestamp, bid and ask")
	errNoName = errors.New("names no symbol: say which it is (--symbol), or have a symbol column")
)

// quoteReader reads one quote file, in the forms that Replay describes, line by line and in bounded memory.
type quoteReader struct {
	file    string
	symbol  string // of lines that have no symbol column; "" = every line needs one
	lines   *bufio.Reader
	line    int // the line that next read last
	columns columns
	symbols map[string]string // the symbols seen in the column, so that a line makes no new string
	fields  [][]byte
}

// columns are the indexes of the fields of a line, -1 for none.
type columns struct {
	time, bid, ask, volume, symbol int
	least                          int // fewest fields of a line
	histData                       bool
}

var histDataColumns = columns{time: 0, bid: 1, ask: 2, volume: 3, symbol: -1, least: 3, histData: true}

func newQuoteReader(file, symbol string, r io.Reader) *quoteReader {
	return &quoteReader{file: file, symbol: symbol, lines: bufio.NewReaderSize(r, maxLine), symbols: make(map[string]string)}
}

// next fills in u with the next quote. It returns io.EOF at the end, a *LineError for a line that is skipped by the next
// call, and any other error when nothing more can be read.
func (q *quoteReader) next(u *Update) error {
	for {
		line, err := q.readLine()
		if err == errLong {
			return q.malformed(err)
		}
		if err != nil {
			return err
		}
		first := q.line == 1
		if first {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if len(line) == 0 {
			continue
		}
		if q.columns.least == 0 { // the form is not known yet
			if c := line[0]; c < '0' || c > '9' {
				if err := q.readHeader(line); err != nil {
					return q.malformed(err)
				}
				continue
			}
			q.columns = histDataColumns
		}
		if err := q.parse(line, u); err != nil {
			return q.malformed(err)
		}
		return nil
	}
}

func (q *quoteReader) malformed(err error) error {
	return &LineError{File: q.file, Line: q.line, Err: err}
}

// readLine returns the next line without its end, borrowed until the next call. errLong: it was too long and is skipped.
func (q *quoteReader) readLine() ([]byte, error) {
	line, err := q.lines.ReadSlice('\n')
	if len(line) == 0 && err != nil {
		return nil, err
	}
	q.line++
	if err == bufio.ErrBufferFull {
		for err == bufio.ErrBufferFull {
			_, err = q.lines.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		return nil, errLong
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	return bytes.TrimSpace(line), nil
}

func (q *quoteReader) readHeader(line []byte) error {
	c := columns{time: -1, bid: -1, ask: -1, volume: -1, symbol: -1}
	for i, name := range strings.Split(strings.ToLower(string(line)), ",") {
		column := &c.time
		switch strings.Trim(name, ` "`) {
		case "timestamp", "time", "datetime":
		case "bid":
			column = &c.bid
		case "ask":
			column = &c.ask
		case "volume":
			column = &c.volume
		case "symbol":
			column = &c.symbol
		default:
			continue
		}
		if *column < 0 {
			*column = i
		}
	}
	if c.time < 0 || c.bid < 0 || c.ask < 0 {
		return errHeader
	}
	c.least = 1 + max(c.time, c.bid, c.ask, c.symbol)
	q.columns = c
	return nil
}

// parse reads one line of quotes.
func (q *quoteReader) parse(line []byte, u *Update) error {
	c := &q.columns
	q.fields = q.fields[:0]
	for rest, more := line, true; more; {
		var field []byte
		field, rest, more = bytes.Cut(rest, []byte{','})
		q.fields = append(q.fields, bytes.TrimSpace(field))
	}
	if len(q.fields) < c.least {
		return fmt.Errorf("has %d fields: want %d", len(q.fields), c.least)
	}
	*u = Update{Kind: Quote, Symbol: q.symbol}
	var err error
	if u.Time, err = c.parseTime(q.fields[c.time]); err != nil {
		return err
	}
	if u.Bid, err = ParseDecimal(q.fields[c.bid]); err != nil {
		return fmt.Errorf("bid %q %w", q.fields[c.bid], err)
	}
	if u.Ask, err = ParseDecimal(q.fields[c.ask]); err != nil {
		return fmt.Errorf("ask %q %w", q.fields[c.ask], err)
	}
	if c.volume >= 0 && c.volume < len(q.fields) && len(q.fields[c.volume]) > 0 {
		if u.Size, err = ParseDecimal(q.fields[c.volume]); err != nil {
			return fmt.Errorf("volume %q %w", q.fields[c.volume], err)
		}
	}
	if c.symbol >= 0 {
		name := q.fields[c.symbol]
		known, ok := q.symbols[string(name)]
		if !ok {
			known = string(name)
			if err := CheckSymbol(known); err != nil {
				return fmt.Errorf("symbol %q %w", name, err)
			}
			if len(q.symbols) == maxInstruments {
				return fmt.Errorf("symbol %q is one too many: %d are the most", name, maxInstruments)
			}
			q.symbols[known] = known
		}
		u.Symbol = known
	}
	if u.Symbol == "" {
		return errNoName
	}
	return nil
}

// est is HistData's time zone.
var est = time.FixedZone("EST", -5*60*60)

func (c *columns) parseTime(field []byte) (time.Time, error) {
	if c.histData {
		if t, ok := parseHistData(field); ok {
			return t, nil
		}
		return time.Time{}, fmt.Errorf("time %q is not of the form 20200101 170000065", field)
	}
	s := string(field)
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	// A fraction is read wherever the layout has seconds.
	for _, layout := range [...]string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q is not of the form 2013-01-01 22:00:00.295+00:00", field)
}

// parseHistData reads YYYYMMDD HHMMSSmmm.
func parseHistData(b []byte) (time.Time, bool) {
	if len(b) != 18 || b[8] != ' ' {
		return time.Time{}, false
	}
	number := func(from, to int) (n int) {
		for _, c := range b[from:to] {
			if c < '0' || c > '9' {
				return -1
			}
			n = 10*n + int(c-'0')
		}
		return n
	}
	year, month, day := number(0, 4), number(4, 6), number(6, 8)
	hour, minute, second, milli := number(9, 11), number(11, 13), number(13, 15), number(15, 18)
	if year < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || milli < 0 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, milli*1e6, est)
	if t.Month() != time.Month(month) || t.Day() != day { // 0230, 1301
		return time.Time{}, false
	}
	return t, true
}

// symbolOf derives a symbol from a file's name: what stands before the first - _ or . in capitals, "" when that is none.
func symbolOf(file string) string {
	name := filepath.Base(file)
	if end := strings.IndexAny(name, "-_."); end >= 0 {
		name = name[:end]
	}
	name = strings.ToUpper(name)
	if CheckSymbol(name) != nil {
		return ""
	}
	return name
}
