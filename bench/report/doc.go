// Package report holds what a load run measured and shows it.
//
// Raw results are an [Interval]: counters and histograms of one second, which add
// up exactly over loops, processes and hosts. From all of them [Build] makes a
// [Report], which is printed as a table, written as JSON, as an HdrHistogram log or as
// an HTML page, judged by assertions, and compared with another.
package report
