package sheet

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/problem"
)

var columns = []Column{{"id", true}, {"name", true}, {"duties", false}, {"score", false}}

func rows(texts ...string) (out []map[string]json.RawMessage) {
	for _, t := range texts {
		name, _ := json.Marshal(t)
		out = append(out, map[string]json.RawMessage{"id": json.RawMessage(`"a"`), "name": name, "duties": json.RawMessage(`["x","y"]`), "score": json.RawMessage(`-0.5`), "other": json.RawMessage(`1`)})
	}
	return out
}

// TestThereAndBack: what is written is read as it was, and a spreadsheet runs none of it.
func TestThereAndBack(t *testing.T) {
	hostile := []string{"plain", "=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'quoted", "''=x", "a,b\"c", " =x", "é", "-", "\nx", "\uff1d1", "\uff0b", "\uff0d1", "\uff20x"}
	var b bytes.Buffer
	if err := Write(&b, append(columns, Column{"_state", true}), rows(hostile...)); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(b.String(), "\n") {
		for cell := range strings.SplitSeq(line, ",") {
			if c := strings.Trim(cell, `"`); c != "" && c != "-0.5" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
				t.Errorf("a spreadsheet would run %q", cell)
			}
		}
	}
	got, err := Read(&b, columns)
	if err != nil || len(got) != len(hostile) {
		t.Fatalf("got %d rows and %v", len(got), err)
	}
	for i, want := range hostile {
		var name string
		if err := json.Unmarshal(got[i].Fields["name"], &name); err != nil || name != want {
			t.Errorf("%q came back as %q (%v)", want, name, err)
		}
		if len(got[i].Fields) != 4 || string(got[i].Fields["score"]) != "-0.5" {
			t.Errorf("row %d is %v", i, got[i].Fields)
		}
	}
}

func TestMistakesAreNamedByLineAndColumn(t *testing.T) {
	for in, want := range map[string]string{
		"id,nme\na,b\n":        "line 1, column 2 (nme)",
		"id,id\na,b\n":         "line 1, column 2 (id)",
		"id,score\na,1\nb,x y": "line 3, column 2 (score)",
		"id,score\na,1\n\"b,1": "line 3, column",
		"id,score\na,1,2\n":    "line 2, column",
		"":                     "file",
		"id\n" + strings.Repeat("a\n", MaxRows+1): "file",
		"id,name\na,caf\xe9\n":                    "line 2, column 2 (name)",
	} {
		_, err := Read(strings.NewReader(in), columns)
		if p := problem.From(err); err == nil || !strings.HasPrefix(p.Field, want) || p.NextStep == "" {
			t.Errorf("%.30q: got %v, want %s", in, err, want)
		}
	}
	r := Row{Line: 7, Columns: map[string]int{"ends_at": 3}}
	if got := r.At("ends_at"); got != "line 7, column 3 (ends_at)" {
		t.Errorf("got %s", got)
	}
	if got, err := Read(strings.NewReader("\ufeffid,_state,name\r\na,approved,\r\n,,\r\n"), columns); err != nil || len(got) != 1 || len(got[0].Fields) != 1 {
		t.Errorf("got %v and %v, want one row of an id", got, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("id,name,duties\na,'=x,\"[\"\"y\"\"]\"\n")
	f.Add("\ufeffid\r\n\"a\nb\"\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := Read(strings.NewReader(in), columns)
		if err != nil {
			return
		}
		var members []map[string]json.RawMessage
		for _, r := range got {
			members = append(members, r.Fields)
		}
		var b bytes.Buffer
		if err := Write(&b, columns, members); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&b, columns)
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if len(again) > len(got) {
			t.Fatalf("%d rows became %d", len(got), len(again))
		}
	})
}
