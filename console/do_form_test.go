package console_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// An act that goes through its form comes out as it was: for generated values of every act.
func TestFormAndActSayTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	for _, spec := range registry.Acts {
		if !spec.Routed() {
			continue
		}
		for range 12 {
			p := reflect.New(reflect.TypeOf(spec.New()).Elem())
			invent(r, p.Elem(), 0)
			act := p.Interface().(registry.Act)
			want, err := registry.Encode(act)
			if err != nil {
				t.Fatalf("%s: %v", spec.Name, err)
			}
			form := console.WriteForm(act)
			got, wrong := console.ReadForm(spec.Name, form)
			if len(wrong) > 0 {
				t.Fatalf("%s: %v\nof %s\nas %v", spec.Name, wrong, want, form)
			}
			// As a browser sends it: lines end otherwise, and blanks stand around.
			for name, texts := range form {
				for i := range texts {
					form[name][i] = " " + strings.ReplaceAll(texts[i], "\n", "\r\n") + " "
				}
			}
			again, wrong := console.ReadForm(spec.Name, form)
			if len(wrong) > 0 {
				t.Fatalf("%s: %v", spec.Name, wrong)
			}
			for _, a := range []registry.Act{got, again} {
				back, err := registry.Encode(a)
				if err != nil || !same(t, back, want) {
					t.Fatalf("%s: got %s, want %s (%v)\nas %v", spec.Name, back, want, err, form)
				}
			}
		}
	}
}

// same compares two acts' JSON; what is empty is as good as absent.
func same(t *testing.T, a, b []byte) bool {
	t.Helper()
	read := func(raw []byte) any {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		return lean(v)
	}
	return reflect.DeepEqual(read(a), read(b))
}

func lean(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			switch x := lean(x).(type) {
			case nil:
				delete(v, k)
			case map[string]any:
				if len(x) == 0 {
					delete(v, k)
				}
			case []any:
				if len(x) == 0 {
					delete(v, k)
				}
			}
		}
	case []any:
		for i := range v {
			v[i] = lean(v[i])
		}
	}
	return v
}

// invent fills a value with something of its type.
func invent(r *rand.Rand, v reflect.Value, depth int) {
	words := []string{"northwind", "a b", "ü — ß", "US-MA", "1e3", "true", `"quoted"`, "x,y;z", "[1]", "<b>&amp;", "null", "0", "-", "k.v[0]"}
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		if r.IntN(4) > 0 {
			v.Set(reflect.ValueOf(time.Unix(r.Int64N(4e9), int64(r.IntN(3))*125e6).UTC()))
		}
		return
	case reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte([]string{`true`, `30`, `"text"`, `"30"`, `{"a":[1,null]}`, `["x","y"]`, `""`, `" "`}[r.IntN(8)]))
		return
	case reflect.TypeFor[[]byte]():
		if r.IntN(2) > 0 {
			v.SetBytes([]byte{byte(r.IntN(256)), 0, 255})
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if r.IntN(2) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			invent(r, v.Elem(), depth+1)
			if v.Type().Elem().Kind() == reflect.Struct && v.Elem().IsZero() {
				v.SetZero()
			}
		}
	case reflect.String:
		if r.IntN(5) > 0 {
			v.SetString(words[r.IntN(len(words))])
		}
	case reflect.Bool:
		v.SetBool(r.IntN(2) > 0)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt([]int64{0, 1, -7, 1 << 31, 9007199254740991}[r.IntN(4)])
	case reflect.Uint32, reflect.Uint64:
		v.SetUint([]uint64{0, 1, 4294967295}[r.IntN(3)])
	case reflect.Float64:
		v.SetFloat([]float64{0, 0.85, 1e-9, 12345.5}[r.IntN(4)])
	case reflect.Slice:
		for range r.IntN(4) {
			e := reflect.New(v.Type().Elem()).Elem()
			invent(r, e, depth+1)
			if !e.IsZero() || e.Kind() != reflect.Struct && e.Kind() != reflect.String {
				v.Set(reflect.Append(v, e))
			}
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range r.IntN(4) {
			e := reflect.New(v.Type().Elem()).Elem()
			invent(r, e, depth+1)
			if !e.IsZero() || e.Kind() != reflect.Struct {
				v.SetMapIndex(reflect.ValueOf(fmt.Sprintf("%s%d", words[r.IntN(len(words))], i)).Convert(v.Type().Key()), e)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				invent(r, v.Field(i), depth+1)
			}
		}
	}
}

// What is no field, no number, no time or no JSON is told where it stands, and no act
// comes of it.
func TestAFormThatCannotBeRead(t *testing.T) {
	for _, tc := range []struct {
		kind, form, want string
	}{
		{"vendor.suspend", "id=a&admin=true", "admin is not a field"},
		{"vendor.suspend", "id.x=a", "id.x is not a field"},
		{"grant.request", "max_patients=many", "max_patients is not a number"},
		{"grant.request", "max_patients=1e3", "max_patients is not a number"},
		{"grant.request", "starts_at=tomorrow", "starts_at is not a time"},
		{"app.register", "keys={", "keys is not JSON"},
		{"emergency.review", "justified=perhaps", "justified is neither yes nor no"},
		{"training.record", "score=NaN", "score is not a number"},
		{"incident.count-affected", "by_state.0.v=3", "by_state.0.k is missing"},
		{"incident.count-affected", "by_state.0.k=US-MA&by_state.0.v=3&by_state.1.k=US-MA&by_state.1.v=4", "stands there twice"},
		{"assessment.record", "require.99999999.text=x", "too many entries"},
		{"assessment.record", "require.-1.text=x", "is not a field"},
		{"certification.record", "fingerprint=1%0Ax", `"x" is not a number`},
	} {
		form, err := url.ParseQuery(tc.form)
		if err != nil {
			t.Fatal(err)
		}
		a, wrong := console.ReadForm(registry.Kind(tc.kind), form)
		if a != nil || !strings.Contains(strings.Join(wrong, "; "), tc.want) {
			t.Errorf("%s %s: got %v, %q; want none, %q", tc.kind, tc.form, a, wrong, tc.want)
		}
	}
}

// A visitor is led to pages here alone.
func TestNextStaysHere(t *testing.T) {
	for _, next := range []string{"", "//evil.example", "https://evil.example/x", "/\\evil.example", "evil", "/a\nb", "javascript:alert(1)", "/" + strings.Repeat("x", 5000)} {
		if got := console.Local(next, "/console"); got != "/console" {
			t.Errorf("%q leads to %q", next, got)
		}
	}
	if got := console.Local("/console/vendors?q=x", "/console"); got != "/console/vendors?q=x" {
		t.Errorf("got %q", got)
	}
}

func FuzzActForm(f *testing.F) {
	f.Add("hold.place", "on.noun=vendor&on.id=northwind&cause=owner")
	f.Add("agreement.draft", "id=a&terms.breach_notice.value=30&terms.x%252Ey.clause=4&permitted_uses.0.data_classes=phi%0Ax")
	f.Add("incident.count-affected", "by_state.0.k=US-MA&by_state.0.v=3")
	f.Add("certification.record", "fingerprint=1%0A2&bridge.at=2026-01-01T00%3A00&open_high=0")
	f.Add("role.define", "resources.Patient.elements=birthDate&max_page_size=-1")
	f.Fuzz(func(t *testing.T, kind, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		a, wrong := console.ReadForm(registry.Kind(kind), form)
		if a == nil {
			if len(wrong) == 0 {
				t.Fatal("neither an act nor a reason")
			}
			return
		}
		want, err := registry.Encode(a)
		if err != nil {
			return // a number that canonical JSON does not have
		}
		again, wrong := console.ReadForm(registry.Kind(kind), console.WriteForm(a))
		if len(wrong) > 0 {
			t.Fatalf("%s: %q of %q", kind, wrong, query)
		}
		got, err := registry.Encode(again)
		if err != nil || !same(t, got, want) {
			t.Fatalf("%s: got %s, want %s of %q", kind, got, want, query)
		}
	})
}

// A term that a form has fields for comes back as it was; what no field can show stays JSON.
func TestTermsComeBackAsTheyWere(t *testing.T) {
	byHand := map[string]string{
		"delegated_obligations": `{"not_applicable":"the vendor carries none out"}`, "mgmt_admin_disclosure": `{"assurance_docs":["letter of 2026-01-01"],"value":true}`,
		"subprocessor_approval": `{"notice_days":30,"value":"notice_and_object"}`, "flowdown_evidence": `[{"contract_hash":"ab","subprocessor":"cloud"},{"subprocessor":"other"}]`,
		"min_necessary_spec": `{"fields":["Patient","Observation.value"],"time_window":"2024-01-01/2026-12-31"}`, "deid_use_limits": `{"allowed_uses":["product_improvement"],"onward_terms":"same","recipients":[]}`,
		"dsp_clause": `{"screening_date":"2026-01-31","value":true}`,
	}
	asFields := 0
	for _, term := range hipaa.Terms() {
		values := []string{`true`, `false`, `30`, `-1`, `1.5`, `"text"`, `"none"`, `""`, `[]`, `{}`, `["none"]`, `["x","y"]`, `[[1]]`, `{"value":null}`, `{"value":{"value":true}}`, `{"mfa":"yes","tls_min":1}`, `{"fields":["a\nb"," c"]}`, `[{"subprocessor":""}]`, `[1]`}
		if own, ok := agreement.Recommended()[term.Field]; ok {
			values = append(values, string(own.Value))
		}
		if x, ok := byHand[term.Field]; ok {
			values = append(values, x)
		}
		for i, value := range values {
			act := registry.DraftAgreement{ID: "a", Terms: map[string]snapshot.Term{term.Field: {Value: json.RawMessage(value)}}}
			form := console.WriteForm(act)
			again, wrong := console.ReadForm("agreement.draft", form)
			got, _ := again.(registry.DraftAgreement)
			var a, b any
			if err := json.Unmarshal([]byte(value), &a); err != nil {
				t.Fatal(err)
			}
			if len(wrong) > 0 || json.Unmarshal(got.Terms[term.Field].Value, &b) != nil || !reflect.DeepEqual(a, b) {
				t.Errorf("%s: %s came back as %s %q\nby %v", term.Field, value, got.Terms[term.Field].Value, wrong, form)
			}
			own := strings.ContainsAny(value, "{[") && value != "{}" && i >= 19
			if _, raw := form["terms."+term.Field+".value"]; own && raw {
				t.Errorf("%s: %s is JSON in its form", term.Field, value)
			} else if own {
				asFields++
			}
		}
	}
	if asFields < 20 {
		t.Errorf("only %d terms with parts have fields", asFields)
	}
	for form, want := range map[string]string{
		"terms.exit.value.return_days=soon":                                                     "terms.exit.value.return_days is not a whole number",
		"terms.exit.value.return_days=3&terms.exit.value={}":                                    "terms.exit.value is said twice",
		"terms.flowdown_evidence.value.none=true&terms.flowdown_evidence.value.0.terms_check=x": "does not go with the entries",
		"terms.survival.value.is=everything":                                                    "something else than it can",
		"terms.purpose_matrix.value.support=perhaps":                                            "something else than it can",
		"terms.exit.value.colour=red":                                                           "terms.exit.value.colour is not a field",
	} {
		q, _ := url.ParseQuery(form)
		if _, wrong := console.ReadForm("agreement.draft", q); !strings.Contains(strings.Join(wrong, "; "), want) {
			t.Errorf("%s: got %q, want %q", form, wrong, want)
		}
	}
}
