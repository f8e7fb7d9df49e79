package score_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/deid/text/score"
)

// Wilson's interval for 8 of 10 at 95 %, worked out from its formula by hand:
// (p + z2/2n -+ z*sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n).
func TestWilson(t *testing.T) {
	const z2 = 1.959964 * 1.959964
	mid, half := .8+z2/20, 1.959964*math.Sqrt(.8*.2/10+z2/400)
	r := score.NewRate(8, 10)
	if math.Abs(r.Low-(mid-half)/(1+z2/10)) > 1e-9 || math.Abs(r.High-(mid+half)/(1+z2/10)) > 1e-9 {
		t.Errorf("got %.4f to %.4f", r.Low, r.High)
	}
	if r := score.NewRate(0, 0); r.Value() != 1 || r.Low != 0 || r.High != 1 {
		t.Errorf("nothing of nothing is %v", r)
	}
	if r := score.NewRate(10, 10); r.Low <= .6 || r.High < .999999 {
		t.Errorf("all of ten is %v", r)
	}
}

func TestEvaluate(t *testing.T) {
	d := score.Doc{Text: []byte("John Smith met Ann on 5/3 in Rome"), Gold: []score.Gold{{0, 10, "NAME"}, {15, 18, "NAME"}, {22, 25, "DATE"}}}
	r, err := score.Evaluate([]score.Doc{d}, func(score.Doc) ([]text.Span, error) {
		return []text.Span{{Start: 0, End: 4, Category: text.Name}, {Start: 22, End: 25, Category: text.Date}, {Start: 29, End: 33, Category: text.Name}}, nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, x := range map[string]struct{ got, want score.Rate }{
		"masked":       {r.Masked, score.NewRate(1, 3)},
		"touched":      {r.Touched, score.NewRate(2, 3)},
		"precision":    {r.Precision, score.NewRate(2, 3)},
		"bytes":        {r.Bytes, score.NewRate(7, 11)},
		"bytes found":  {r.ByteFound, score.NewRate(7, 16)},
		"words found":  {r.Words, score.NewRate(3, 5)},
		"words wanted": {r.WordsGood, score.NewRate(3, 4)},
	} {
		if x.got != x.want {
			t.Errorf("%s: got %v, want %v", what, x.got, x.want)
		}
	}
	want := []score.CategoryRow{
		{Category: text.Name, Masked: score.NewRate(0, 2), Touched: score.NewRate(1, 2), Precision: score.NewRate(1, 2)},
		{Category: text.Date, Masked: score.NewRate(1, 1), Touched: score.NewRate(1, 1), Precision: score.NewRate(1, 1)},
	}
	if !slices.Equal(r.ByCategory, want) {
		t.Errorf("by category: got %v, want %v", r.ByCategory, want)
	}
	if f := r.F2(); math.Abs(f-2./3) > 1e-9 {
		t.Errorf("F2 is %v", f)
	}
}

func TestRead(t *testing.T) {
	for name, in := range map[string]string{
		"presidio": `[{"full_text":"é Ann","spans":[{"entity_type":"PERSON","start_position":2,"end_position":5}]}]`,
		"notes":    `{"id":"1","text":"é Ann","spans":[{"start":2,"end":5,"label":"PERSON"}]}` + "\n",
		"golden":   `{"fixtures":[{"id":"1","text":"é Ann","gold_spans":[{"start":2,"end":5,"label":"PERSON"}]}]}`,
	} {
		docs, err := score.Read([]byte(in))
		if err != nil || len(docs) != 1 || len(docs[0].Gold) != 1 {
			t.Errorf("%s: got %v, %v", name, docs, err)
			continue
		}
		g := docs[0].Gold[0]
		if got := string(docs[0].Text[g.Start:g.End]); got != "Ann" || g.Label != "PERSON" {
			t.Errorf("%s: the label is %q %s", name, got, g.Label)
		}
	}
	for name, in := range map[string]string{
		"outside": `[{"full_text":"ZZQX","spans":[{"entity_type":"P","start_position":2,"end_position":9}]}]`,
		"no json": `{"text": ZZQX`,
		"bytes":   "\xffZZQX",
	} {
		_, err := score.Read([]byte(in))
		if err == nil {
			t.Errorf("%s: was read", name)
		} else if strings.Contains(err.Error(), "ZZQX") {
			t.Errorf("%s: the error quotes the text", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`[{"full_text":"é Ann","spans":[{"entity_type":"PERSON","start_position":2,"end_position":5}]}]`))
	f.Add([]byte(`{"id":"1","text":"é Ann","spans":[{"start":2,"end":5,"label":"PERSON"}]}`))
	f.Add([]byte(`{"fixtures":[{"text":"a","gold_spans":[{"start":0,"end":1}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		docs, err := score.Read(b)
		if err != nil {
			return
		}
		for _, d := range docs {
			for _, g := range d.Gold {
				if g.Start < 0 || g.End <= g.Start || g.End > len(d.Text) {
					t.Fatalf("label %d-%d of %d", g.Start, g.End, len(d.Text))
				}
			}
		}
	})
}
