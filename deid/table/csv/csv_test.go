package csv_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/deid/table/csv"
	"github.com/sallyport/sallyport/problem"
)

// readAll gives the header and the rows.
func readAll(src io.Reader, comma byte) ([][]string, error) {
	r := csv.NewReader(src, comma)
	names, err := r.Header()
	if err != nil {
		return nil, err
	}
	out := [][]string{names}
	for {
		row, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		var s []string
		for _, f := range row {
			s = append(s, string(f))
		}
		out = append(out, s)
	}
}

func TestReads(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "a,b\r\n1,2\r\n", "a|b/1|2"},
		{"line feeds, no end", "a,b\n1,2", "a|b/1|2"},
		{"quotes", "a,b\n\"1\",\"x\"\"y\"\n", "a|b/1|x\"y"},
		{"separator and line end in quotes", "a,b\n\"1,\r\n2\",\"\"\n", "a|b/1,\r\n2|"},
		{"empty fields", "a,b\n,\n", "a|b/|"},
		{"empty rows of one column", "a\n\nx\n\"\"\n", "a//x/"},
		{"spaces are data", "a,b\n 1, 2 \n", "a|b/ 1| 2 "},
		{"outside ASCII", "a\nné\n", "a/né"},
		{"quoted last field at the end", "a,b\n1,\"2\"", "a|b/1|2"},
		{"header only", "a,b", "a|b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.DataErrReader(strings.NewReader(c.in))} {
				rows, err := readAll(src, ',')
				if err != nil {
					t.Fatal(err)
				}
				var lines []string
				for _, r := range rows {
					lines = append(lines, strings.Join(r, "|"))
				}
				if got := strings.Join(lines, "/"); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}
		})
	}
}

// TestRefuses: what is not RFC 4180 is an error with its place and without its
// value; ZQX stands in every input.
func TestRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, where string }{
		{"empty", "", "row 1"},
		{"short row", "a,b\nZQX\n", "row 2, column 2"},
		{"blank line", "a,b\n1,ZQX\n\n3,4\n", "row 3, column 2"},
		{"long row", "a,b\n1,2,ZQX\n", "row 2, column 3"},
		{"bare quote", "a,b\n1,ZQX\"y\n", "row 2, column 2"},
		{"text after a quote", "a,b\n\"ZQX\"y,2\n", "row 2, column 1"},
		{"open quote", "a,b\n1,\"ZQX\n", "row 2, column 2"},
		{"NUL", "a,b\n1,ZQX\x00\n", "row 2, column 2"},
		{"NUL in quotes", "a,b\n\"ZQX\x00\",1\n", "row 2, column 1"},
		{"not UTF-8", "a,b\n1,ZQX\xff\n", "row 2, column 2"},
		{"lone carriage return", "a,b\n1,ZQX\r2,3\n", "row 2, column 2"},
		{"carriage return at the end", "a,b\n1,ZQX\r", "row 2, column 2"},
		{"byte order mark", "\uFEFFZQX,b\n", "row 1, column 1"},
		{"nameless column", "ZQX,,c\n", "row 1, column 2"},
		{"two of a name", "ZQX,b,zqx \n", "row 1, column 3"},
		{"UTF-16", "\xff\xfeZ\x00", "row 1, column 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
				_, err := readAll(src, ',')
				var p *problem.Problem
				if !errors.As(err, &p) {
					t.Fatalf("got %v, want a problem", err)
				}
				if p.Field != c.where || p.Citation == "" || p.NextStep == "" {
					t.Errorf("got %q (%s), want it at %q with its rule and a next step", p.Field, err, c.where)
				}
				if strings.Contains(strings.ToLower(err.Error()), "zqx") {
					t.Errorf("the error holds the value: %v", err)
				}
			}
		})
	}
	if _, err := readAll(strings.NewReader("a\n1"), '"'); err == nil {
		t.Error("a quote separates fields")
	}
}

// TestBounded: a quote that is never closed does not eat the memory.
func TestBounded(t *testing.T) {
	_, err := readAll(io.MultiReader(strings.NewReader("a\n\""), endless{}), ',')
	var p *problem.Problem
	if !errors.As(err, &p) || p.Kind != problem.TooLarge {
		t.Errorf("got %v, want a problem of size", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{'x'}, 4096)), nil }

// TestSourceFails: an error of the source is not the end of the file.
func TestSourceFails(t *testing.T) {
	for _, in := range []string{"", "a,b", "a,b\n1", "a,b\n\"1", "a,b\n\"1\"", "a,b\n1,2\r", "a,b\n1,2\n"} {
		broken := errors.New("broken")
		if _, err := readAll(io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)), ','); !errors.Is(err, broken) && in != "" {
			t.Errorf("%q: got %v, want the source's error", in, err)
		}
	}
}

// TestRoundTrip: what Append writes, Reader reads.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		comma := rapid.SampledFrom([]byte(",;\t|")).Draw(t, "comma")
		n := rapid.IntRange(1, 4).Draw(t, "columns")
		field := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab,;\t|\"\r\n é")), 0, 6, -1), n, n)
		rows := rapid.SliceOfN(field, 0, 5).Draw(t, "rows")
		var names []string
		for i := range n {
			names = append(names, string(rune('a'+i)))
		}
		var b []byte
		for _, row := range append([][]string{names}, rows...) {
			var f [][]byte
			for _, s := range row {
				f = append(f, []byte(s))
			}
			b = csv.Append(b, comma, f...)
		}
		got, err := readAll(iotest.HalfReader(bytes.NewReader(b)), comma)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(rows)+1 {
			t.Fatalf("got %d rows, want %d", len(got), len(rows)+1)
		}
		for i, row := range rows {
			for j, s := range row {
				if got[i+1][j] != s {
					t.Fatalf("row %d column %d: got %q, want %q", i, j, got[i+1][j], s)
				}
			}
		}
	})
}

// FuzzCSV: no crash, no more columns than the header, and what was read is
// read alike after it is written again.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a\r\n\"x\"\"y\"\r\n", "\uFEFFa", "a,b\n1", "a\n\"", "a\n\"x\"y", "a,a\n", "\x00", "a\n\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		rows, err := readAll(bytes.NewReader(raw), ',')
		slow, errSlow := readAll(iotest.OneByteReader(bytes.NewReader(raw)), ',')
		if (err == nil) != (errSlow == nil) || (err != nil && err.Error() != errSlow.Error()) || len(rows) != len(slow) {
			t.Fatalf("read at once: %v; by bytes: %v", err, errSlow)
		}
		if err != nil {
			return
		}
		var b []byte
		for _, row := range rows {
			var fs [][]byte
			for _, s := range row {
				fs = append(fs, []byte(s))
			}
			b = csv.Append(b, ',', fs...)
		}
		again, err := readAll(bytes.NewReader(b), ',')
		if err != nil || len(again) != len(rows) {
			t.Fatalf("written again: %v, %d rows of %d", err, len(again), len(rows))
		}
		for i := range rows {
			if len(rows[i]) != len(rows[0]) || strings.Join(again[i], "\x00") != strings.Join(rows[i], "\x00") {
				t.Fatalf("row %d differs", i)
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	var in []byte
	in = append(in, "a,b,c,d,e,f,g,h,i\r\n"...)
	for range 20_000 {
		in = append(in, "Male,39,White,Never-married,Bachelors,United-States,State-gov,Adm-clerical,<=50K\r\n"...)
	}
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		r := csv.NewReader(bytes.NewReader(in), ',')
		if _, err := r.Header(); err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
