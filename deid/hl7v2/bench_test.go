package hl7v2

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

// BenchmarkCopy measures a file of messages, and how its speed compares with
// splitting the same bytes into segments and fields and joining them again, in
// the same run.
func BenchmarkCopy(b *testing.B) {
	one := basic + "OBX|1|NM|2951-2^Sodium^LN|1|140|mmol/L|135-145|N|||F|||20240314120000\r" +
		"OBX|2|NM|2823-3^Potassium^LN|1|4.2|mmol/L|3.5-5.1|N|||F|||20240314120000\rOBX|3|ST|11557-6^Interpretation^LN|1|Within normal limits|||N|||F\r" +
		"NK1|1|Smith^Tom|SPO|1 Elm St^^Boston^MA^02115|5551234567\rNTE|1|L|Reported by telephone to the ward.\r"
	file := []byte(strings.Repeat(one, 2000))
	d := safeHarbor(b)
	b.SetBytes(int64(len(file)))
	var plain time.Duration
	for b.Loop() {
		if _, err := d.Copy(io.Discard, bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		start := time.Now()
		splitAndJoin(file)
		plain += time.Since(start)
		b.StartTimer()
	}
	mb := float64(len(file)) * float64(b.N) / 1e6
	b.ReportMetric(mb/plain.Seconds(), "split-join-MB/s")
	b.ReportMetric(plain.Seconds()/b.Elapsed().Seconds(), "of-split-join")
}

func splitAndJoin(file []byte) int {
	n := 0
	for seg := range bytes.SplitSeq(file, []byte("\r")) {
		fields := bytes.Split(seg, []byte("|"))
		for i, f := range fields {
			fields[i] = bytes.Join(bytes.Split(f, []byte("^")), []byte("^"))
		}
		n += len(bytes.Join(fields, []byte("|")))
	}
	return n
}
