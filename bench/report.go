package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is one run, as it is written to a file.
type Report struct {
	At      time.Time `json:"at"`
	Quick   bool      `json:"quick,omitempty"`
	Machine Machine   `json:"machine"`
	Tables  []Table   `json:"tables"`
	Targets []Target  `json:"targets"`
	Failed  []string  `json:"failed,omitempty"` // what could not be measured
}

// Machine is where it ran. Figures of two machines do not compare.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Kernel string `json:"kernel,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores"`
	Go     string `json:"go"`
	Disk   string `json:"disk,omitempty"` // file system of the scratch folder
	Load   string `json:"load,omitempty"` // load average at the start: a busy machine measures itself
}

// Table is one comparison: rows of figures with the same columns.
type Table struct {
	Name    string   `json:"name"`
	Notes   []string `json:"notes,omitempty"`
	Columns []string `json:"columns"`
	Rows    []Row    `json:"rows"`
}

// Row is one peer.
type Row struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"` // as Columns; -1 where there is none
}

// Target is a figure that was promised.
type Target struct {
	Name string  `json:"name"`
	Want string  `json:"want"`
	Got  string  `json:"got"`
	Pass bool    `json:"pass"`
	Num  float64 `json:"value"`
}

func (r *Report) table(t Table) { r.Tables = append(r.Tables, t) }

// atMost and atLeast judge a figure.
func (r *Report) atMost(name string, got, limit float64, unit string) {
	r.Targets = append(r.Targets, Target{name, fmt.Sprintf("at most %.4g%s", limit, unit), fmt.Sprintf("%.4g%s", got, unit), got <= limit, got})
}

func (r *Report) atLeast(name string, got, limit float64, unit string) {
	r.Targets = append(r.Targets, Target{name, fmt.Sprintf("at least %.4g%s", limit, unit), fmt.Sprintf("%.4g%s", got, unit), got >= limit, got})
}

// Print writes the tables for a reader.
func (r *Report) Print(w io.Writer) {
	m := r.Machine
	fmt.Fprintf(w, "%s, %d cores, %s %s, %s, %s; load average before: %s\n", m.CPU, m.Cores, m.OS, m.Kernel, m.Go, m.Disk, m.Load)
	if r.Quick {
		fmt.Fprintln(w, "A -quick run: that it runs, not figures to quote.")
	}
	for _, t := range r.Tables {
		fmt.Fprintf(w, "\n%s\n", t.Name)
		tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(tw, "\t%s\t\n", strings.Join(t.Columns, "\t"))
		for _, row := range t.Rows {
			cells := make([]string, len(row.Values))
			for i, v := range row.Values {
				cells[i] = figure(v)
			}
			fmt.Fprintf(tw, "%s\t%s\t\n", row.Name, strings.Join(cells, "\t"))
		}
		_ = tw.Flush() // to a terminal
		for _, n := range t.Notes {
			fmt.Fprintf(w, "  %s\n", n)
		}
	}
	if len(r.Targets) > 0 {
		fmt.Fprintln(w, "\nTargets")
	}
	for _, t := range r.Targets {
		word := "FAIL"
		if t.Pass {
			word = "PASS"
		}
		fmt.Fprintf(w, "  %s  %s: %s (%s)\n", word, t.Name, t.Got, t.Want)
	}
	for _, f := range r.Failed {
		fmt.Fprintf(w, "  NOT MEASURED  %s\n", f)
	}
}

// figure prints three digits, and no more than are there.
func figure(v float64) string {
	switch {
	case v < 0:
		return "-"
	case v == 0:
		return "0"
	case v < 10:
		return fmt.Sprintf("%.3f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// Write puts the report into a file of its own in dir.
func (r *Report) Write(dir string) (string, error) {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "bench-"+r.At.Format("20060102T150405Z")+".json")
	return file, os.WriteFile(file, append(raw, '\n'), 0o644)
}

// thisMachine asks Linux; elsewhere it knows less.
func thisMachine(dir string) Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version(), Disk: fileSystem(dir)}
	if raw, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(raw))
	}
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(raw), " ")
	}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if name, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(v)
				break
			}
		}
	}
	return m
}

// fileSystem is the type of the mount that holds dir.
func fileSystem(dir string) string {
	raw, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return ""
	}
	best, kind := "", ""
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) >= 3 && len(f[1]) >= len(best) && (f[1] == "/" || dir == f[1] || strings.HasPrefix(dir, f[1]+"/")) {
			best, kind = f[1], f[2]
		}
	}
	return kind
}
