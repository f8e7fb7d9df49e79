package text_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid/text"
)

type opinion struct {
	spans []text.Span
	err   error
}

func (o opinion) Spans(context.Context, []byte) ([]text.Span, error) { return o.spans, o.err }

func with(t *testing.T, o text.SecondOpinion) *text.Engine {
	t.Helper()
	e, err := text.New(text.Options{Second: o})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A second opinion adds and never takes away.
func TestSecondOpinionAdds(t *testing.T) {
	doc := "the mayor came; SSN 123-45-6789"
	got, err := with(t, opinion{spans: []text.Span{{Start: 4, End: 9, Category: text.Name}}}).Find(nil, []byte(doc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if m := marked(doc, got); m != "the [mayor] came; SSN [123-45-6789]" {
		t.Errorf("got %s", m)
	}
	if got[0].Reason != text.Second {
		t.Errorf("reason is %v", got[0].Reason)
	}
}

// If it fails, or answers nonsense, the release fails, and says nothing of the text.
func TestSecondOpinionFails(t *testing.T) {
	doc := []byte("ZZQX canary; SSN 123-45-6789")
	for name, o := range map[string]opinion{
		"error":         {err: errors.New("model said: ZZQX canary")},
		"outside":       {spans: []text.Span{{Start: 0, End: 99}}},
		"backwards":     {spans: []text.Span{{Start: 5, End: 2}}},
		"bad category":  {spans: []text.Span{{Start: 0, End: 2, Category: 200}}},
		"negative":      {spans: []text.Span{{Start: -1, End: 2}}},
		"empty stretch": {spans: []text.Span{{Start: 3, End: 3}}},
	} {
		got, err := with(t, o).Find(nil, doc, nil)
		if err == nil || len(got) != 0 {
			t.Errorf("%s: got %v and %v", name, got, err)
			continue
		}
		if strings.Contains(err.Error(), "ZZQX") {
			t.Errorf("%s: the error quotes the text", name)
		}
	}
}
