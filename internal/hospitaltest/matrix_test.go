package hospitaltest_test

import (
	"crypto/ecdsa"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/snapshot"
)

var update = flag.Bool("update", false, "write docs/matrix.md")

// The matrix: who or what is shown to Sallyport, and what is wrong with it.
var (
	shown    = []string{"user", "device", "application", "workload", "token"}
	troubles = []string{"absent", "wrong", "expired", "revoked", "of another vendor", "replayed", "stolen by another device"}
)

// cell is one refusal: what is tried, how, and how it is refused.
type cell struct {
	tried string // for a reader of the table
	try   func(x *matrix) (hospitaltest.Answer, error)
	want  outcome
}

// outcome is how something was refused. A stranger hears a status alone, and the
// reason stands in the owner's log; who is known hears the gate and the way out.
type outcome struct {
	status int    // 0: the TLS handshake failed
	reason string // in the owner's log
	gate   string // in the refusal
	says   string // of the gate: the beginning of its words
}

func (o outcome) String() string {
	switch {
	case o.status == 0:
		return "TLS handshake refused"
	case o.gate != "":
		return fmt.Sprintf("%d, gate %s: %s", o.status, o.gate, o.says)
	}
	return fmt.Sprintf("%d, log: %s. Next: %s", o.status, o.reason, o.next())
}

// next is the way out that the owner's log gives with the reason.
func (o outcome) next() string {
	if strings.HasPrefix(o.reason, "session-") {
		return signin.WayOut(signin.Reason(o.reason))
	}
	return identity.Reason(o.reason).Next()
}

func logged(status int, reason string) outcome { return outcome{status: status, reason: reason} }
func byGate(gate, says string) outcome {
	return outcome{status: http.StatusForbidden, gate: gate, says: says}
}

var handshake = outcome{}

// cells is the matrix. A new way of showing who one is, or a new trouble, is a line
// here; an empty place fails the test.
var cells = map[string]map[string]cell{
	"user": {
		"absent": {"no certificate and no session at the organisation's API", func(x *matrix) (hospitaltest.Answer, error) { return x.api(nil, "") }, logged(401, "no-certificate")},
		"wrong": {"a certificate of the authority for somebody who is not registered", func(x *matrix) (hospitaltest.Answer, error) {
			return x.api(must[*identity.Credential](x.t)(server.IssuePerson(x.config, "nobody", x.b.Clock.Now())), "")
		}, logged(401, "person-unknown")},
		"expired": {"a session that was not used for longer than the idle limit", func(x *matrix) (hospitaltest.Answer, error) {
			secret := x.signIn(registrytest.Ada)
			x.later(31 * time.Minute)
			return x.api(x.b.People[registrytest.Ada].Credential, secret)
		}, logged(401, "session-over")},
		"revoked": {"a session that a security officer killed", func(x *matrix) (hospitaltest.Answer, error) {
			secret := x.signIn(registrytest.Ada)
			x.killed(registrytest.Ada, secret)
			return x.api(x.b.People[registrytest.Ada].Credential, secret)
		}, logged(401, "session-ended")},
		"of another vendor": {"a vendor's certificate at the organisation's API", func(x *matrix) (hospitaltest.Answer, error) { return x.api(x.b.Client.Device, "") }, logged(401, "person-unknown")},
		"replayed": {"the secret of a session after its person has signed out", func(x *matrix) (hospitaltest.Answer, error) {
			secret, cred := x.signIn(registrytest.Ada), x.b.People[registrytest.Ada].Credential
			if got, err := x.send(x.as(cred), http.MethodPost, x.b.Pages+"/signout", "", "Cookie", "__Host-sallyport="+secret); err != nil || got.Status != http.StatusOK {
				x.t.Fatalf("signing out: %s, %v", got, err)
			}
			return x.api(cred, secret)
		}, logged(401, "session-ended")},
		"stolen by another device": {"a live session's secret on another certificate's connection", func(x *matrix) (hospitaltest.Answer, error) {
			return x.api(x.b.People[registrytest.Grace].Credential, x.signIn(registrytest.Ada))
		}, logged(401, "session-elsewhere")},
	},
	"device": {
		"absent": {"no client certificate", func(x *matrix) (hospitaltest.Answer, error) { return x.read(x.as(nil), x.token()) }, logged(401, "no-certificate")},
		"wrong": {"a certificate of an authority of one's own", func(x *matrix) (hospitaltest.Answer, error) {
			return x.read(x.as(must[*identity.Credential](x.t)(identity.SelfSigned(x.b.Client.Device.Key(), x.b.Clock.Now()))), x.token())
		}, logged(401, "certificate-untrusted")},
		"expired": {"a certificate whose time is over", func(x *matrix) (hospitaltest.Answer, error) {
			c := x.certificate(hospitaltest.Device, time.Hour)
			x.later(2 * time.Hour)
			return x.read(x.as(c), x.token())
		}, logged(401, "certificate-expired")},
		"revoked": {"a device whose trust was ended", func(x *matrix) (hospitaltest.Answer, error) {
			c := x.b.Another("northwind-lost", hospitaltest.App, x.b.Client.Key)
			x.device("northwind-lost", c.Device.KeyDigest(), "")
			x.b.Act(registrytest.Grace, registry.RevokeDevice{ID: "northwind-lost"})
			return c.Ask(http.MethodGet, question, "", "", "Accept", hospitaltest.ProblemJSON)
		}, byGate("device", "The device is not approved, or no longer")},
		"of another vendor": {"the program on another vendor's device", func(x *matrix) (hospitaltest.Answer, error) { return x.ask(x.second.Device, x.own(nil)) }, logged(401, "app-vendor-mismatch")},
		"replayed":          {"everything that a device has sent, sent once more", func(x *matrix) (hospitaltest.Answer, error) { return x.replayed(x.b.Client.Device) }, handshake},
		"stolen by another device": {"its certificate, by one who has not got its key",
			func(x *matrix) (hospitaltest.Answer, error) { return x.stolen(x.b.Client.Device) }, handshake},
	},
	"application": {
		"absent": {"no assertion", func(x *matrix) (hospitaltest.Answer, error) {
			return x.ask(x.b.Client.Device, url.Values{"client_assertion_type": {assertionType}})
		}, logged(401, "assertion-malformed")},
		"wrong": {"an assertion by another key", func(x *matrix) (hospitaltest.Answer, error) {
			return x.ask(x.b.Client.Device, x.proof(hospitaltest.App, must[*ecdsa.PrivateKey](x.t)(identity.NewKey(384)), nil))
		}, logged(401, "assertion-key-unknown")},
		"expired": {"an assertion of yesterday", func(x *matrix) (hospitaltest.Answer, error) {
			return x.ask(x.b.Client.Device, x.own(func(c *jwt.Claims) {
				c.Expiry, c.IssuedAt = jwt.NewNumericDate(x.b.Clock.Now().Add(-24*time.Hour)), jwt.NewNumericDate(x.b.Clock.Now().Add(-24*time.Hour-time.Minute))
			}))
		}, logged(401, "assertion-expired")},
		"revoked": {"an application whose registration was ended", func(x *matrix) (hospitaltest.Answer, error) {
			key := must[*ecdsa.PrivateKey](x.t)(identity.NewKey(384))
			x.b.Act(registrytest.Ada, registry.RegisterApp{ID: "gone", Vendor: "northwind", Name: "Gone", Kind: snapshot.Workload, Keys: must[json.RawMessage](x.t)(identity.PublicKeys(key.Public())), Owner: registrytest.Lin})
			x.b.Act(registrytest.Grace, registry.ApproveApp{ID: "gone"})
			x.b.Act(registrytest.Grace, registry.RevokeApp{ID: "gone"})
			return x.ask(x.b.Client.Device, x.proof("gone", key, nil))
		}, logged(400, "app-not-approved")},
		"of another vendor": {"another vendor's program on one's own device", func(x *matrix) (hospitaltest.Answer, error) {
			return x.ask(x.b.Client.Device, x.proof(hospitaltest.App2, x.second.Key, nil))
		}, logged(401, "app-vendor-mismatch")},
		"replayed": {"an assertion for the second time", func(x *matrix) (hospitaltest.Answer, error) {
			form := x.own(nil)
			if got, err := x.ask(x.b.Client.Device, form); err != nil || got.Status != http.StatusOK {
				return got, fmt.Errorf("the first time: %s, %v", got, err)
			}
			return x.ask(x.b.Client.Device, form)
		}, logged(401, "assertion-replayed")},
		"stolen by another device": {"its key, on a device of the vendor that the grant does not name", func(x *matrix) (hospitaltest.Answer, error) {
			return x.spare.Ask(http.MethodGet, question, "", "", "Accept", hospitaltest.ProblemJSON)
		}, byGate("device", "The grant does not name this device")},
	},
	"workload": {
		"absent": {"an engagement that demands provenance, and nothing is attested", func(x *matrix) (hospitaltest.Answer, error) { return x.pod(x.spire.svid(x.b.Clock.Now())) },
			byGate("workload", "The engagement demands that the workload proves what it is")},
		"wrong": {"an SVID by another authority than the trust domain's", func(x *matrix) (hospitaltest.Answer, error) {
			return x.pod(newSPIRE(x.t, x.b.Clock.Now()).svid(x.b.Clock.Now()))
		}, logged(401, "certificate-untrusted")},
		"expired": {"an SVID whose hour is over", func(x *matrix) (hospitaltest.Answer, error) {
			return x.pod(x.spire.svid(x.b.Clock.Now().Add(-2 * time.Hour)))
		}, logged(401, "certificate-expired")},
		"revoked": {"an attestation that was revoked", func(x *matrix) (hospitaltest.Answer, error) {
			x.attest("a1")
			from := len(x.b.Log.String())
			if got, err := x.pod(x.spire.svid(x.b.Clock.Now())); err != nil || got.Status != http.StatusOK {
				return got, fmt.Errorf("attested: %s, %v%s", got, err, lastLines(x.b.Log.String()[from:]))
			}
			x.b.Act(registrytest.Grace, registry.RevokeAttestation{ID: "a1"})
			return x.pod(x.spire.svid(x.b.Clock.Now()))
		}, byGate("workload", "The attestation of this device was revoked")},
		"of another vendor": {"another vendor's program on the workload", func(x *matrix) (hospitaltest.Answer, error) {
			return x.ask(x.spire.svid(x.b.Clock.Now()), x.proof(hospitaltest.App2, x.second.Key, nil))
		}, logged(401, "app-vendor-mismatch")},
		"replayed": {"everything that a workload has sent, sent once more", func(x *matrix) (hospitaltest.Answer, error) { return x.replayed(x.spire.svid(x.b.Clock.Now())) }, handshake},
		"stolen by another device": {"its SVID, by one who has not got its key",
			func(x *matrix) (hospitaltest.Answer, error) { return x.stolen(x.spire.svid(x.b.Clock.Now())) }, handshake},
	},
	"token": {
		"absent": {"no token", func(x *matrix) (hospitaltest.Answer, error) { return x.read(x.as(x.b.Client.Device), "") }, logged(401, "token-absent")},
		"wrong": {"a token whose scope was changed", func(x *matrix) (hospitaltest.Answer, error) {
			parts := strings.Split(x.token(), ".")
			parts[1] = parts[1][:len(parts[1])-4] + "AAAA"
			return x.read(x.as(x.b.Client.Device), strings.Join(parts, "."))
		}, logged(401, "token-invalid")},
		"expired": {"a token of six minutes ago", func(x *matrix) (hospitaltest.Answer, error) {
			token := x.token()
			x.later(6 * time.Minute)
			return x.read(x.as(x.b.Client.Device), token)
		}, logged(401, "token-expired")},
		"revoked": {"a token that its program has revoked", func(x *matrix) (hospitaltest.Answer, error) {
			token := x.token()
			form := x.own(nil)
			form.Set("token", token)
			if got, err := x.send(x.as(x.b.Client.Device), http.MethodPost, x.b.Gateway+"/revoke", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"); err != nil || got.Status != http.StatusOK {
				return got, fmt.Errorf("revoking: %s, %v", got, err)
			}
			defer x.b.Client.Tokens.Forget()
			return x.read(x.as(x.b.Client.Device), token)
		}, logged(401, "token-revoked")},
		"of another vendor": {"another vendor's token on one's own device", func(x *matrix) (hospitaltest.Answer, error) {
			return x.read(x.as(x.b.Client.Device), must[string](x.t)(x.second.Tokens.Token(x.t.Context())))
		}, logged(401, "token-bound-elsewhere")},
		"replayed": {"a token with a proof of possession (DPoP) that was used before", func(x *matrix) (hospitaltest.Answer, error) { return x.proofTwice() }, logged(401, "proof-replayed")},
		"stolen by another device": {"a token on another device of the same vendor", func(x *matrix) (hospitaltest.Answer, error) { return x.read(x.as(x.spare.Device), x.token()) },
			logged(401, "token-bound-elsewhere")},
	},
}

// Every way of showing who one is, with everything that can be wrong with it, is
// refused: the owner's log says why, or the refusal names the gate and the way out.
// docs/matrix.md is this table.
func TestTheMatrixOfRefusals(t *testing.T) {
	t.Parallel()
	x := newMatrix(t)
	for _, s := range shown {
		for _, trouble := range troubles {
			c, ok := cells[s][trouble]
			if !ok {
				t.Errorf("%s, %s: there is no cell", s, trouble)
				continue
			}
			// Before each the good caller is served, so that nothing else refuses.
			if got := x.b.Get(question); got.Status != http.StatusOK {
				t.Fatalf("before %s, %s: the good caller: %s", s, trouble, got)
			}
			from := len(x.b.Log.String())
			got, err := c.try(x)
			if seen := x.outcome(from, got, err, c.want); seen != "" {
				t.Errorf("%s, %s (%s): %s; want %s", s, trouble, c.tried, seen, c.want)
			}
		}
		if len(cells[s]) != len(troubles) {
			t.Errorf("%s has %d cells, want %d", s, len(cells[s]), len(troubles))
		}
	}
	file := filepath.Join("..", "..", "docs", "matrix.md")
	if *update {
		if err := os.WriteFile(file, []byte(matrixPage()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if page, err := os.ReadFile(file); err != nil || string(page) != matrixPage() {
		t.Errorf("docs/matrix.md is not the table of this test (%v): go test ./internal/hospitaltest -run Matrix -update", err)
	}
}

// outcome compares; empty is as wanted.
func (x *matrix) outcome(from int, got hospitaltest.Answer, err error, want outcome) string {
	if want == handshake {
		if err == nil {
			return "it was answered: " + got.String()
		}
		if text := err.Error(); !strings.Contains(text, "tls") && !strings.Contains(text, "handshake") && !strings.Contains(text, "could not be established") && !strings.Contains(text, "reset") && !strings.Contains(text, "broken pipe") && !strings.Contains(text, "EOF") {
			return "it failed for another reason: " + text
		}
		return ""
	}
	if err != nil {
		return "it could not be tried: " + err.Error()
	}
	if got.Status != want.status {
		return got.String() + lastLines(x.b.Log.String()[from:])
	}
	for _, data := range []string{`"Patient"`, `"Bundle"`, `"access_token"`, `"items"`} {
		if strings.Contains(string(got.Body), data) {
			return "the refusal holds data: " + got.String()
		}
	}
	if want.gate == "" {
		if reason := `"reason":"` + want.reason + `"`; !strings.Contains(x.b.Log.String()[from:], reason) {
			return fmt.Sprintf("%d, and the log does not say %s: %s", got.Status, want.reason, lastLines(x.b.Log.String()[from:]))
		}
		if next := fmt.Sprintf(`"next":%q`, want.next()); !strings.Contains(x.b.Log.String()[from:], next) {
			return fmt.Sprintf("%d, and the log gives no way out: %s", got.Status, lastLines(x.b.Log.String()[from:]))
		}
		return ""
	}
	p := new(problem.Problem)
	if err := json.Unmarshal(got.Body, p); err != nil {
		return got.String()
	}
	at := slices.IndexFunc(p.Reasons, func(r problem.Reason) bool { return r.Gate == want.gate && strings.HasPrefix(r.Message, want.says) })
	switch {
	case at < 0:
		return got.String()
	case p.Reasons[at].NextStep == "" || p.Reasons[at].Who == "":
		return "no way out: " + got.String()
	}
	return ""
}

func lastLines(s string) string {
	if len(s) > 1500 {
		s = s[len(s)-1500:]
	}
	return "; log: " + s
}

// matrixPage is the table for people to read.
func matrixPage() string {
	var b strings.Builder
	b.WriteString("# The matrix of refusals\n\nMade by `go test ./internal/hospitaltest -run Matrix -update`; the test of that name tries every line on a whole\n" +
		"Sallyport, over TLS, and compares. A stranger hears a bare status, and the reason and the way out stand in the owner's log; who is known\n" +
		"hears the gate, what is wrong, what mends it, and who can mend it.\n")
	for _, s := range shown {
		fmt.Fprintf(&b, "\n## %s\n\n| what is wrong | what is tried | how it is refused |\n|---|---|---|\n", strings.ToUpper(s[:1])+s[1:])
		for _, trouble := range troubles {
			c := cells[s][trouble]
			fmt.Fprintf(&b, "| %s | %s | %s |\n", trouble, c.tried, c.want)
		}
	}
	return b.String()
}
