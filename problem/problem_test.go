package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestTheReaderNeverSeesTheCause(t *testing.T) {
	cause := errors.New("cannot parse ZZCANARY")
	p := BadField("sources[0].url", "is not an address", "Write https://host/path").Because(cause)
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"Error": p.Error(), "JSON": string(raw), "format": fmt.Sprintf("%v", p)} {
		if strings.Contains(text, "ZZCANARY") {
			t.Errorf("%s shows the cause: %s", where, text)
		}
		if !strings.Contains(text, "sources[0].url") {
			t.Errorf("%s does not name the field: %s", where, text)
		}
	}
	if !errors.Is(p, cause) {
		t.Error("the log cannot get at the cause")
	}
}

func TestFrom(t *testing.T) {
	p := New(Refused, "no", "ask")
	if got := From(fmt.Errorf("doing this: %w", p)); got != p {
		t.Errorf("got %v, want the problem in the chain", got)
	}
	if got := From(errors.New("ZZCANARY")); got.Kind != Internal || strings.Contains(got.Error(), "ZZCANARY") {
		t.Errorf("got %v of kind %q, want an internal one without the text", got, got.Kind)
	}
}

func TestBecauseLeavesTheOriginalAlone(t *testing.T) {
	p := New(Refused, "no", "ask")
	_ = p.Because(errors.New("why"))
	if p.Unwrap() != nil {
		t.Error("a shared problem was changed")
	}
}

func TestStatus(t *testing.T) {
	for kind, want := range map[Kind]int{Invalid: 400, Unknown: 401, Refused: 403, NotFound: 404, WrongMethod: 405, Conflict: 409, TooLarge: 413, TooMany: 429,
		Unsupported: 501, UpstreamFail: 502, Unavailable: 503, Internal: 500, Kind(""): http.StatusInternalServerError} {
		if got := kind.Status(); got != want {
			t.Errorf("%q: got %d, want %d", kind, got, want)
		}
	}
}
