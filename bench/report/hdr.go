package report

import (
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// WriteHDR writes an HdrHistogram interval log (format 1.3): for every second a line
// each with the tags latency, service and connect, in nanoseconds, where there is one.
// start is when the run began.
func WriteHDR(w io.Writer, intervals []*Interval, start time.Time) error {
	l := hdrhistogram.NewHistogramLogWriter(w)
	// The log's base time has whole seconds.
	base := start.Unix() * 1000
	l.SetBaseTime(base)
	for _, err := range []error{
		l.OutputComment("[Values are nanoseconds, Interval_Max is milliseconds]"),
		l.OutputLogFormatVersion(), l.OutputBaseTime(base), l.OutputStartTime(base), l.OutputLegend(),
	} {
		if err != nil {
			return err
		}
	}
	for i := range bySecond(intervals) {
		begin := start.Add(time.Duration(i.Second) * time.Second).UnixMilli()
		end := begin + i.Length.Milliseconds()
		for _, tagged := range []struct {
			tag string
			h   *Histogram
		}{{"latency", i.Latency}, {"service", i.Service}, {"connect", i.Connect}} {
			if tagged.h.Count() == 0 {
				continue
			}
			h := tagged.h.Clone().h
			h.SetTag(tagged.tag)
			h.SetStartTimeMs(begin)
			h.SetEndTimeMs(end)
			if err := l.OutputIntervalHistogram(h); err != nil {
				return err
			}
		}
	}
	return nil
}
