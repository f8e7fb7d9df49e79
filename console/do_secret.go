package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"

	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// onceTold is something secret that was made here: it is shown on one page, once, and the
// registry has only its digest.
type onceTold struct {
	What, Secret string
	Say          []string
	Command      string
	Next         string
}

// secrets are the acts that take the digest of something secret, and its field.
var secrets = map[registry.Kind]string{
	"person.invite": "code_sha256", "device.invite": "code_sha256", "link.issue": "secret_sha256", "questionnaire.send": "secret_sha256",
}

// needsSecret reports whether one must be made for what was typed.
func (f *doForm) needsSecret() bool {
	field, ok := secrets[f.spec.Name]
	if !ok || f.typed.Get(field) != "" {
		return false
	}
	return f.spec.Name != "questionnaire.send" || f.typed.Get("contact") != ""
}

// fillSecret puts a digest that fits nothing in the place of one that is made only when
// the act is done, so that the act can be looked at before.
func (f *doForm) fillSecret(*visit) {
	if f.needsSecret() {
		sum := sha256.Sum256([]byte(rand.Text()))
		f.typed.Set(secrets[f.spec.Name], hex.EncodeToString(sum[:]))
		f.expiryOfLink()
	}
}

// expiryOfLink: the link of a questionnaire is open as long as the questionnaire.
func (f *doForm) expiryOfLink() {
	if f.spec.Name == "questionnaire.send" && f.typed.Get("expires_at") == "" {
		f.typed.Set("expires_at", f.typed.Get("due_at"))
	}
}

// makeSecret makes what the act needs, and notes its digest in the form; nil: it needs
// none, or the digest was given.
func (s *server) makeSecret(v *visit, f *doForm) (*onceTold, error) {
	if !f.needsSecret() {
		return nil, nil
	}
	f.expiryOfLink()
	switch f.spec.Name {
	case "device.invite":
		var e api.Enrolment
		if err := s.read(v, "/v1/enrolment", &e); err != nil {
			return nil, err
		}
		block, _ := pem.Decode([]byte(e.Authority))
		if block == nil {
			return nil, problem.New(problem.Unavailable, "The server has no certificate now", "Try again in a moment")
		}
		word := wire.Invite{Device: f.typed.Get("id"), Code: rand.Text(), Pin: wire.PinOf(block.Bytes)}
		f.typed.Set("code_sha256", wire.CodeDigest(word.Code))
		region := "US" // where it is, the person who runs the command may say otherwise
		if p, ok := v.View.Persons.Get(id.Person(f.typed.Get("owner"))); ok && p.Region != "" {
			region = p.Region
		}
		return &onceTold{What: "Invitation of a machine", Secret: word.String(),
			Say:     []string{"Hand this word over in person or by telephone: who has it can enrol one machine.", "On that machine, run the command below; it asks for the word. The region is where the machine is: US, or US-MA."},
			Command: "sallyport agent enroll --server " + e.Gateway + " --region " + region}, nil
	case "person.invite":
		code := signin.NewCode()
		digest, _ := signin.CodeDigest(code)
		f.typed.Set("code_sha256", digest)
		return &onceTold{What: "One-time code", Secret: code,
			Say: []string{"Hand it over in person or by telephone: who has it can register a passkey as this person.", "They open " + s.People + "/enroll and type it. You approve them after you have seen them touch it."}}, nil
	}
	code := signin.NewCode()
	digest, _ := signin.CodeDigest(code)
	f.typed.Set("secret_sha256", digest)
	return &onceTold{What: "Link", Secret: s.People + "/portal/in#" + code,
		Say: []string{"Send this link to the vendor's contact, and to nobody else: who has it can do what it is for."}}, nil
}
