package hospital

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// Whatever is asked, the answer is JSON and the server lives.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{"name=peg", "birthdate=ge1960-05-04", "_has:Observation:patient:code=1", "subject:Patient.family=x", "a.b.c.d=e",
		"identifier=|", "identifier=a|b|c", "_sort=-birthdate,_id", "_include=*", "_include=Patient:*:x", `family=a\\,b\\`, "_count=-1", "_elements=,", "value-quantity=gt1||", "_has:_has:_has:=", "%zz"} {
		f.Add("Patient", seed)
		f.Add("Observation", seed)
	}
	r := Generate(1, 2)
	s := NewServer(r, Options{QuoteInput: true})
	f.Fuzz(func(t *testing.T, typ, query string) {
		req := httptest.NewRequest(http.MethodGet, "/fhir/x", nil)
		req.URL = &url.URL{Path: "/fhir/" + typ, RawQuery: query}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		if w.Code < 400 && typ == "Patient" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s?%s: %d %.200s", typ, query, w.Code, w.Body)
		}
	})
}

// What is filed comes back as it was, or is refused.
func FuzzPut(f *testing.F) {
	for _, seed := range []string{`{"resourceType":"Patient","id":"1","name":[{"family":"a"}]}`, `{"resourceType":"Patient","id":"1","meta":{"versionId":2}}`,
		`{"resourceType":"Observation","id":"1","subject":{"reference":""},"valueQuantity":{"value":1e400}}`, `{"resourceType":"X","id":"1","a":[null,{}],"b":"\u0000\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newRecords()
		if r.Put(b) != nil {
			return
		}
		for x := range r.All() {
			if !json.Valid(x.JSON) {
				t.Errorf("%s became %s", b, x.JSON)
			}
		}
	})
}
