package draw_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/console/draw"
)

// A picture is well formed whatever its words are, says what it shows, and has neither a
// style nor a script of its own, which the content policy would refuse.
func TestPicturesAreWhole(t *testing.T) {
	now := time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC)
	odd := `<script>"&'</script>`
	for name, got := range map[string]string{
		"both doors open": string(draw.Doors("d", draw.Door{Label: "Papers", Word: "Open", Open: true}, draw.Door{Label: "Data", Word: "Open", Open: true})),
		"one shut":        string(draw.Doors("d", draw.Door{Label: odd, Word: odd}, draw.Door{Label: "Data", Word: "Open for 1 of 2", Open: true, Part: true})),
		"no time":         string(draw.Timeline("t", "Time", "None", now, now, now, nil, nil)),
		"a time": string(draw.Timeline("t", odd, odd, now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0), now, []draw.Row{
			{Label: strings.Repeat("é", 60), Spans: []draw.Span{{From: now.AddDate(-3, 0, 0), Class: "good", Tip: odd}, {From: now, To: now.AddDate(0, -1, 0)}}},
			{Label: odd, Marks: []draw.Mark{{At: now, Class: "bad", Tip: odd}, {At: now.AddDate(9, 0, 0)}}}},
			[]draw.Band{{At: now.AddDate(0, -1, 0), Good: 3, Bad: 1, Tip: odd}, {At: now}})),
	} {
		d := xml.NewDecoder(strings.NewReader(got))
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, got)
			}
			if e, ok := tok.(xml.StartElement); ok {
				if e.Name.Local == "script" || e.Name.Local == "style" {
					t.Errorf("%s holds <%s>", name, e.Name.Local)
				}
				for _, a := range e.Attr {
					if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
						t.Errorf("%s: <%s %s=%q>", name, e.Name.Local, a.Name.Local, a.Value)
					}
				}
			}
		}
		if !strings.Contains(got, "<title id=") || !strings.Contains(got, "<desc id=") || !strings.Contains(got, `role="img"`) {
			t.Errorf("%s does not say what it shows", name)
		}
	}
	open := string(draw.Doors("d", draw.Door{Open: true}, draw.Door{Open: true}))
	shut := string(draw.Doors("d", draw.Door{}, draw.Door{Open: true}))
	if !strings.Contains(open, "Data flows from the source to the vendor") || strings.Contains(open, "dr-stopped") {
		t.Error("with both doors open data does not flow")
	}
	if !strings.Contains(shut, "No data flows") || !strings.Contains(shut, "dr-stopped") {
		t.Error("with the papers' door shut data flows")
	}
}
