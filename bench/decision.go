package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
)

// decision runs policy's own benchmark, in which Engine.Decide with all gates
// among 10,000 records and cedar-go alone, on the same policies with the request
// at hand, take turns of sixteen decisions. Only policy may import Cedar, and
// the bare evaluation is no part of the product, so it is a test's.
func decision(ctx context.Context, b *bench) error {
	count := b.scale(10, 2)
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^BenchmarkDecide$", "-count="+strconv.Itoa(count),
		"-benchtime="+map[bool]string{false: "1s", true: "200ms"}[b.quick], "github.com/sallyport/sallyport/policy")
	text, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("running policy's benchmark: %w\n%s", err, text)
	}
	ours, cedar, ratio := metric(text, "ns/decision"), metric(text, "ns/cedar"), metric(text, "ratio")
	if len(ours) != count || len(cedar) != count || len(ratio) != count {
		return errors.New("policy's benchmark did not print its figures:\n" + string(text))
	}
	b.report.table(Table{Name: "Decision, all gates, 10,000 registry records (microseconds)", Columns: []string{"median", "fastest", "slowest"},
		Rows:  []Row{{"Sallyport", spread(ours, 1e-3)}, {"cedar-go alone, request prebuilt", spread(cedar, 1e-3)}, {"ratio", spread(ratio, 1)}},
		Notes: []string{fmt.Sprintf("%d runs; in each, both take turns of 16 decisions, so both see the same machine. No decision touches a database: it reads a view in memory.", count)}})
	b.report.atMost("decision, ratio to cedar-go alone", median(ratio), 1.5, "")
	b.report.atMost("decision, all gates, 10,000 records", median(ours)/1e3, 10, " us")
	return nil
}

// metric finds the values of one unit in the output of a benchmark.
func metric(text []byte, unit string) (values []float64) {
	for _, m := range regexp.MustCompile(`\s([0-9.e+-]+) `+regexp.QuoteMeta(unit)+`\b`).FindAllSubmatch(text, -1) {
		if v, err := strconv.ParseFloat(string(m[1]), 64); err == nil {
			values = append(values, v)
		}
	}
	return values
}

func median(v []float64) float64 { return quantile(v, 0.5) }

// quantile is the smallest value that a share q of all does not exceed.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return -1
	}
	s := slices.Sorted(slices.Values(v))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

func spread(v []float64, factor float64) []float64 {
	return []float64{median(v) * factor, slices.Min(v) * factor, slices.Max(v) * factor}
}
