package hospitaltest_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertion is a client assertion with these claims.
func assertion(t testing.TB, key *ecdsa.PrivateKey, c jwt.Claims) string {
	t.Helper()
	set, err := identity.PublicKeys(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	var doc jose.JSONWebKeySet
	if err := json.Unmarshal(set, &doc); err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES384, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", doc.Keys[0].KeyID))
	if err != nil {
		t.Fatal(err)
	}
	out, err := jwt.Signed(signer).Claims(c).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// vendors is a box in which two vendors work, each with systems of its own. What is
// the second one's is full of canaries.
type vendors struct {
	t        *testing.T
	b        *hospitaltest.Box
	one, two *hospitaltest.Systems
	second   *hospitaltest.Client
	foreign  []string // ids, codes, tokens and names of the second vendor
	canaries []string // what must stand in no answer to the first
}

func twoVendors(t *testing.T) *vendors {
	t.Helper()
	x := &vendors{t: t, b: hospitaltest.Start(t, hospitaltest.Options{Records: hospital.Generate(1, 5)})}
	b := x.b
	b.Paper()
	x.second = b.Second()
	x.one, x.two = b.Systems(hospitaltest.Vendor), b.Systems(hospitaltest.Vendor2)
	b.Act(registrytest.Ada, registry.LinkDirectory{ID: registrytest.Lin, Directory: snapshot.Directory{Connector: x.one.Directory, UserName: "lin@northwind.example"}})
	b.Act(registrytest.Ada, registry.LinkDirectory{ID: hospitaltest.Mia, Directory: snapshot.Directory{Connector: x.two.Directory, UserName: "canary-mia@contoso.example", ExternalID: "canary-ext-1"}})

	got, err := x.two.Ask(http.MethodPost, "/scim/v2/Users", x.two.SCIM, "application/scim+json", `{"userName":"canary-user@contoso.example","externalId":"canary-ext-2","displayName":"Canary Person","addresses":[{"country":"US"}]}`)
	var joiner struct{ ID string }
	if err != nil || got.Status != http.StatusCreated || json.Unmarshal(got.Body, &joiner) != nil {
		t.Fatalf("the second vendor's joiner: %s, %v", got, err)
	}
	patients, err := x.second.Ask(http.MethodGet, "/Patient?_count=1", "", "")
	if err != nil || patients.Status != http.StatusOK {
		t.Fatalf("the second vendor reads: %s, %v", patients, err)
	}
	var page bundle
	if err := json.Unmarshal(patients.Body, &page); err != nil {
		t.Fatal(err)
	}
	token, err := x.second.Tokens.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	x.canaries = []string{"contoso", "Contoso", "canary", "Canary", "imaging", "Imaging", string(hospitaltest.Mia) + `"`, joiner.ID, text(page.Entry[0].Resource, "id"), token, x.two.SCIM, x.two.Fleet}
	x.foreign = []string{string(hospitaltest.Vendor2), string(hospitaltest.Device2), string(hospitaltest.App2), string(hospitaltest.Grant2), string(hospitaltest.Mia), "imaging-eval", "imaging-reader",
		"contoso-baa", "contoso-contract", "contoso-2026", "contoso-soc2", "mia-2026", string(x.two.Directory), "contoso-events", "contoso-fleet", joiner.ID,
		"canary-mia@contoso.example", "canary-user@contoso.example", "canary-ext-1", "canary-ext-2", text(page.Entry[0].Resource, "id"), x.two.Events.Issuer, token, x.two.SCIM,
		string(x.second.Device.KeyDigest())}
	return x
}

// unknown is an id of the same form that is nobody's.
func unknown(key string) string {
	if strings.Count(key, ".") == 2 && len(key) > 200 { // a token: its signature is wrong
		return key[:len(key)-8] + "AAAAAAAA"
	}
	out := []byte(key)
	for i, n := len(out)-1, 0; i >= 0 && n < 4; i-- {
		switch c := out[i]; {
		case 'a' <= c && c <= 'z':
			out[i] = 'a' + (c-'a'+7)%26
		case 'A' <= c && c <= 'Z':
			out[i] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[int(c)%32]
		case '0' <= c && c <= '9':
			out[i] = '0' + (c-'0'+3)%10
		default:
			continue
		}
		n++
	}
	return string(out)
}

// surface is one way in which the first vendor can name something to the gateway.
type surface struct {
	name string
	ask  func(x *vendors, key string) (hospitaltest.Answer, error)
}

func (x *vendors) fhir(path string) (hospitaltest.Answer, error) {
	return x.b.Client.Ask(http.MethodGet, path, "", "", "Accept", hospitaltest.ProblemJSON)
}

// form posts a form over the first vendor's mutual TLS.
func (x *vendors) form(path string, form url.Values) (hospitaltest.Answer, error) {
	return x.raw(http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode(), "")
}

func (x *vendors) raw(method, path, kind, body, token string) (hospitaltest.Answer, error) {
	req, err := http.NewRequest(method, x.b.Gateway+path, strings.NewReader(body))
	if err != nil {
		return hospitaltest.Answer{}, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := x.b.Client.HTTP.Do(req)
	if err != nil {
		return hospitaltest.Answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return hospitaltest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: raw}, err
}

func (x *vendors) scim(method, path, body string) (hospitaltest.Answer, error) {
	kind := ""
	if body != "" {
		kind = "application/scim+json"
	}
	for { // a directory that asks too fast waits
		got, err := x.one.Ask(method, "/scim/v2"+path, x.one.SCIM, kind, body)
		if err != nil || got.Status != http.StatusTooManyRequests {
			return got, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (x *vendors) event(kind string, subject map[string]any, change func(map[string]any)) (hospitaltest.Answer, error) {
	claims := x.one.Events.Event(kind, subject, map[string]any{"current_status": "not-compliant"}, x.b.Clock.Now())
	if change != nil {
		change(claims)
	}
	return x.one.Push(claims)
}

// credentials are a good assertion of the first vendor's program, as a form.
func (x *vendors) credentials(change func(*jwt.Claims)) url.Values {
	now := x.b.Clock.Now()
	c := jwt.Claims{Issuer: string(hospitaltest.App), Subject: string(hospitaltest.App), Audience: jwt.Audience{x.b.Gateway + "/token"},
		Expiry: jwt.NewNumericDate(now.Add(time.Minute)), IssuedAt: jwt.NewNumericDate(now), ID: rand.Text()}
	if change != nil {
		change(&c)
	}
	return url.Values{"client_assertion_type": {assertionType}, "client_assertion": {assertion(x.t, x.b.Client.Key, c)}}
}

func with(v url.Values, more ...string) url.Values {
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v
}

func opaque(key string) map[string]any { return map[string]any{"format": "opaque", "id": key} }

const active = `{"Operations":[{"op":"replace","path":"active","value":false}]}`

// surfaces are every way in which a vendor names things on the gateway's listener.
// A door that is added there is added here.
var surfaces = []surface{
	{"token: grant", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.form("/token", with(x.credentials(nil), "grant_type", "client_credentials", "scope", "system/*.rs", "grant", k))
	}},
	{"token: client_id", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.form("/token", with(x.credentials(nil), "grant_type", "client_credentials", "scope", "system/*.rs", "client_id", k))
	}},
	{"token: iss of an assertion", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.form("/token", with(x.credentials(func(c *jwt.Claims) { c.Issuer, c.Subject = k, k }), "grant_type", "client_credentials", "scope", "system/*.rs"))
	}},
	{"token: code", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.form("/token", with(x.credentials(nil), "grant_type", "authorization_code", "code", k, "redirect_uri", "http://127.0.0.1/cb", "code_verifier", strings.Repeat("v", 43)))
	}},
	{"token: refresh token", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.form("/token", with(x.credentials(nil), "grant_type", "refresh_token", "refresh_token", k))
	}},
	{"revoke", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.form("/revoke", with(x.credentials(nil), "token", k))
	}},
	{"introspect", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.form("/introspect", with(x.credentials(nil), "token", k))
	}},
	{"authorize: client_id", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.raw(http.MethodGet, "/authorize?"+url.Values{"client_id": {k}, "response_type": {"code"}, "redirect_uri": {"http://127.0.0.1/cb"}}.Encode(), "", "", "")
	}},
	{"FHIR: read", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.fhir("/Patient/" + url.PathEscape(k))
	}},
	{"FHIR: _id", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.fhir("/Patient?_id=" + url.QueryEscape(k))
	}},
	{"FHIR: patient", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.fhir("/Observation?patient=" + url.QueryEscape(k))
	}},
	{"FHIR: everything", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.fhir("/Patient/" + url.PathEscape(k) + "/$everything")
	}},
	{"FHIR: source", func(x *vendors, k string) (hospitaltest.Answer, error) {
		token, err := x.b.Client.Tokens.Token(x.t.Context())
		if err != nil {
			return hospitaltest.Answer{}, err
		}
		return x.raw(http.MethodGet, "/fhir/"+url.PathEscape(k)+"/Patient", "", "", token)
	}},
	{"FHIR: page", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.fhir("/Patient?_page=" + url.QueryEscape(k))
	}},
	{"FHIR: token", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.raw(http.MethodGet, "/fhir/ehr/Patient?_count=1", "", "", url.QueryEscape(k))
	}},
	{"SCIM: GET", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.scim("GET", "/Users/"+url.PathEscape(k), "")
	}},
	{"SCIM: PUT", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.scim("PUT", "/Users/"+url.PathEscape(k), `{"userName":"x","displayName":"x","active":false}`)
	}},
	{"SCIM: PATCH", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.scim("PATCH", "/Users/"+url.PathEscape(k), active)
	}},
	{"SCIM: DELETE", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.scim("DELETE", "/Users/"+url.PathEscape(k), "")
	}},
	{"SCIM: filter", func(x *vendors, k string) (hospitaltest.Answer, error) {
		raw, _ := json.Marshal(k)
		return x.scim("GET", "/Users?filter="+url.QueryEscape(fmt.Sprintf(`userName eq %[1]s or externalId eq %[1]s or id eq %[1]s or displayName co %[1]s`, raw)), "")
	}},
	{"SCIM: token", func(x *vendors, k string) (hospitaltest.Answer, error) {
		// The second vendor's own token on the first one's network would work, as any
		// stolen bearer token does: what is asked here is that no other word of theirs does.
		if k == x.two.SCIM || k == unknown(x.two.SCIM) {
			k = "x"
		}
		return x.one.Ask("GET", "/scim/v2/Users", url.QueryEscape(k), "", "")
	}},
	{"SSF: account-disabled", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.event(risc+"account-disabled", opaque(k), nil)
	}},
	{"SSF: by address", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.event(risc+"account-disabled", map[string]any{"format": "email", "email": k}, nil)
	}},
	{"SSF: device", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.event(caep+"device-compliance-change", map[string]any{"format": "complex", "device": opaque(k)}, nil)
	}},
	{"SSF: session", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.event(caep+"session-revoked", map[string]any{"format": "complex", "session": opaque(k), "user": opaque(k)}, nil)
	}},
	{"SSF: issuer", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.event(risc+"account-disabled", opaque("x"), func(c map[string]any) { c["iss"] = k })
	}},
	{"SSF: audience", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.event(risc+"account-disabled", opaque("x"), func(c map[string]any) { c["aud"] = k })
	}},
	{"posture: fleet", func(x *vendors, k string) (hospitaltest.Answer, error) {
		raw, _ := json.Marshal(k)
		return x.one.Ask("POST", "/posture/fleet", x.one.Fleet, "application/json", `{"devices":[{"id":`+string(raw)+`,"os":"linux","os_version":"1","disk_encryption":"fail"}]}`)
	}},
	{"enrol", func(x *vendors, k string) (hospitaltest.Answer, error) {
		raw, _ := json.Marshal(k)
		return x.raw("POST", "/enrol", "application/json", `{"device":`+string(raw)+`,"code":"ABCDEFGHIJKLMNOPQRSTUVWXYZ","key_store":"file","region":"US"}`, "")
	}},
	{"standing", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.raw("GET", "/standing?device="+url.QueryEscape(k), "", "", "")
	}},
	{"another path", func(x *vendors, k string) (hospitaltest.Answer, error) {
		return x.raw("GET", "/"+url.PathEscape(k), "", "", "")
	}},
}

var (
	ulids = regexp.MustCompile(`[0-9A-HJKMNP-TV-Z]{26}`)
	times = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z?`)
)

// bare is an answer without what differs between any two: the word that was asked
// about, moments, and the ids of decisions.
func bare(got hospitaltest.Answer, key string) string {
	clean := func(s string) string {
		// A short word may begin an id that was made just now, by chance: not the key.
		s = ulids.ReplaceAllStringFunc(s, func(u string) string {
			if u != key && strings.Contains(u, key) {
				return "ULID"
			}
			return u
		})
		for _, k := range []string{key, url.PathEscape(key), url.QueryEscape(key)} {
			s = strings.ReplaceAll(s, k, "KEY")
		}
		return times.ReplaceAllString(ulids.ReplaceAllString(s, "ULID"), "TIME")
	}
	var headers []string
	for name, values := range got.Header {
		switch name {
		case "Date", "Content-Length", "Dpop-Nonce":
		default:
			headers = append(headers, name+": "+clean(strings.Join(values, ", ")))
		}
	}
	slices.Sort(headers)
	return fmt.Sprintf("%d\n%s\n%s", got.Status, strings.Join(headers, "\n"), clean(string(got.Body)))
}

// look asks about a word of the second vendor's and about one that is nobody's: the
// answers are the same, and hold nothing of the second vendor's.
func (x *vendors) look(t interface {
	Errorf(string, ...any)
	Fatalf(string, ...any)
}, s surface, key, nobody string) {
	theirs, err := s.ask(x, key)
	if err != nil {
		t.Fatalf("%s %s: %v", s.name, key, err)
	}
	none, err := s.ask(x, nobody)
	if err != nil {
		t.Fatalf("%s %s: %v", s.name, nobody, err)
	}
	if got, want := bare(theirs, key), bare(none, nobody); got != want {
		t.Errorf("%s: %q, the second vendor's, is answered\n%s\nand %q, nobody's,\n%s", s.name, key, got, nobody, want)
	}
	answer := strings.NewReplacer(key, "KEY", url.PathEscape(key), "KEY", url.QueryEscape(key), "KEY").Replace(fmt.Sprint(theirs.Header) + string(theirs.Body))
	for _, c := range x.canaries {
		if c != key && strings.Contains(answer, c) {
			t.Errorf("%s %q: the answer holds %q of the second vendor: %s", s.name, key, c, answer)
		}
	}
}

// state is everything of the second vendor's that the first must not have changed.
func (x *vendors) state() string {
	var out []string
	for _, path := range []string{"/v1/persons", "/v1/devices", "/v1/apps", "/v1/grants", "/v1/holds", "/v1/connectors", "/v1/sessions"} {
		got, err := x.b.People[registrytest.Grace].Do(http.MethodGet, path, nil)
		if err != nil || got.Status != http.StatusOK {
			x.t.Fatalf("%s: %s, %v", path, got, err)
		}
		out = append(out, string(got.Body))
	}
	return strings.Join(out, "\n")
}

// Vendor isolation: whatever of another vendor's a vendor names, at whatever door,
// is answered as what does not exist. Every door with every id, and then doors and
// ids at random, bent as one bends them who probes.
func TestNoVendorReadsAnothers(t *testing.T) {
	t.Parallel()
	x := twoVendors(t)
	before := x.state()
	for _, s := range surfaces {
		for _, key := range x.foreign {
			x.look(t, s, key, unknown(key))
		}
	}
	if t.Failed() {
		return
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.SampledFrom(surfaces).Draw(rt, "door")
		key := rapid.SampledFrom(x.foreign).Draw(rt, "id")
		bend := func(s string) string { return s }
		switch rapid.IntRange(0, 6).Draw(rt, "bent") {
		case 0:
			bend = strings.ToUpper
		case 1:
			end := rapid.SampledFrom([]string{"/", "%00", " ", "?x=y", "#", "*", "\"", "'", "..", "/../lin"}).Draw(rt, "end")
			bend = func(s string) string { return s + end }
		case 2:
			begin := rapid.SampledFrom([]string{"../", "./", "connector.", "device.", "Patient/", " ", "urn:uuid:"}).Draw(rt, "begin")
			bend = func(s string) string { return begin + s }
		case 3: // of short words too little would be left to tell them apart
			n := rapid.IntRange(min(6, len(key)), len(key)).Draw(rt, "cut")
			bend = func(s string) string { return s[:n] }
		case 4:
			other := rapid.SampledFrom(x.foreign).Draw(rt, "other")
			bend = func(s string) string { return other + "," + s }
		}
		x.look(rt, s, bend(key), bend(unknown(key)))
	})
	if after := x.state(); after != before {
		t.Errorf("something was changed by asking:\n%s\nbefore:\n%s", after, before)
	}
	// And the second vendor works as before.
	got, err := x.second.Ask(http.MethodGet, question, "", "")
	if err != nil || got.Status != http.StatusOK {
		t.Errorf("the second vendor: %s, %v", got, err)
	}
}
