package fhir

import (
	"io"
	"runtime"
	"testing"

	"github.com/sallyport/sallyport/deid"
)

// endless gives n bytes of NDJSON, or of a Bundle, without having them all.
type endless struct {
	head, unit, tail []byte
	n                int64
	at               int
	state            int
	most             uint64
	reads            int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.reads++; e.reads%32 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		e.most = max(e.most, m.HeapInuse+m.StackInuse)
	}
	for {
		part := [][]byte{e.head, e.unit, e.tail}[e.state]
		if e.at < len(part) {
			n := copy(p, part[e.at:])
			e.at += n
			e.n -= int64(n)
			return n, nil
		}
		e.at = 0
		if e.state == 1 && e.n > 0 {
			continue
		}
		if e.state++; e.state == 3 {
			e.state = 2
			e.tail = nil
			return 0, io.EOF
		}
	}
}

// TestMemoryIsBounded: the memory does not grow with the file. It is far below
// 64 MB here: the rest is the program's own.
func TestMemoryIsBounded(t *testing.T) {
	size := int64(192 << 20)
	if testing.Short() || raceEnabled {
		size = 24 << 20
	}
	lines := ndjson(1 << 19)
	raws, _ := page()
	var entries []byte
	for _, r := range raws {
		entries = append(append(append(entries, `,{"resource":`...), r...), '}')
	}
	for name, src := range map[string]*endless{
		"NDJSON": {unit: lines, n: size},
		"Bundle": {head: append([]byte(`{"resourceType":"Bundle","type":"collection","entry":[{"resource":`), append(raws[0], '}')...), unit: entries, tail: []byte("]}"), n: size / 2},
	} {
		m := under(t, deid.SafeHarborProfile)
		f := NewFiles(m, nil)
		runtime.GC()
		var err error
		if name == "NDJSON" {
			err = f.NDJSON(io.Discard, src)
		} else {
			err = f.JSON(io.Discard, src)
		}
		must(t, err)
		got := f.Manifest()
		t.Logf("%s: %d MB in, %d MB out, at most %d MB of heap and stacks", name, got.BytesIn>>20, got.BytesOut>>20, src.most>>20)
		if src.most > 64<<20 {
			t.Errorf("%s: %d MB in use, want at most 64", name, src.most>>20)
		}
		if got.BytesIn < size/2 {
			t.Errorf("%s: only %d bytes were read", name, got.BytesIn)
		}
	}
}
