package course

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Where an issuer publishes, below its own address (RFC 8615).
const (
	BadgeKeysPath   = "/.well-known/sallyport-badge-keys.json"   // JWK Set (RFC 7517)
	RevocationsPath = "/.well-known/sallyport-badge-revoked.jwt" // signed, see Revocations
	badgeIDPath     = "/badges/"                                 // below it, a badge's name; nothing is served there
	achievementPath = "/badges/courses/"
	accountPath     = "/accounts/"
	badgeType       = "JWT" // Open Badges 3.0, section 8.2.3.1
	listType        = "sallyport-revocations+jwt"
)

// The vocabularies of the credential (Verifiable Credentials Data Model 2.0, section
// 4.3; Open Badges 3.0, section 5.1). They are names here, and nothing fetches them.
var badgeContexts = []string{"https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"}

// Signer signs with ECDSA over P-256 and SHA-256 (RFC 7518, section 3.4).
type Signer interface {
	KeyID() string
	SignES256([]byte) ([]byte, error) // r and s, 32 bytes each
}

// Issuer is who signs badges.
type Issuer struct {
	Name string // the organisation
	URL  string // its address for people, https://people.example.org: names begin with it
	Key  Signer
}

// Credential is an OpenBadgeCredential, as far as it is written and read here. It names
// the person by their account with the issuer: no name, no address, no result of a
// screening.
type Credential struct {
	Context    []string         `json:"@context"`
	ID         string           `json:"id"`
	Type       []string         `json:"type"`
	Issuer     BadgeProfile     `json:"issuer"`
	ValidFrom  time.Time        `json:"validFrom"`
	ValidUntil time.Time        `json:"validUntil"`
	Name       string           `json:"name"`
	Subject    BadgeSubject     `json:"credentialSubject"`
	Status     CredentialStatus `json:"credentialStatus"`
}

// BadgeProfile is the issuer (Open Badges 3.0, Profile).
type BadgeProfile struct {
	ID   string   `json:"id"`
	Type []string `json:"type"`
	Name string   `json:"name"`
}

// BadgeSubject is who achieved what (AchievementSubject).
type BadgeSubject struct {
	ID          string        `json:"id"`
	Type        []string      `json:"type"`
	Achievement Achievement   `json:"achievement"`
	Result      []BadgeResult `json:"result,omitempty"`
}

// Achievement is a course in one version.
type Achievement struct {
	ID          string   `json:"id"`
	Type        []string `json:"type"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Version     string   `json:"version,omitempty"`
	Tag         []string `json:"tag,omitempty"` // the modules, the track, the State
	Criteria    Criteria `json:"criteria"`
	// ResultDescription says what the results are.
	ResultDescription []ResultDescription `json:"resultDescription,omitempty"`
}

// Criteria say what it takes.
type Criteria struct {
	Narrative string `json:"narrative"`
}

// ResultDescription is the shape of a result.
type ResultDescription struct {
	ID         string   `json:"id"`
	Type       []string `json:"type"`
	Name       string   `json:"name"`
	ResultType string   `json:"resultType"`
}

// BadgeResult is one result.
type BadgeResult struct {
	Type              []string `json:"type"`
	ResultDescription string   `json:"resultDescription"`
	Value             string   `json:"value"`
}

// CredentialStatus says where revocations are published.
type CredentialStatus struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// BadgeID is the name of a completion's badge.
func (i Issuer) BadgeID(t *snapshot.Training) string {
	return strings.TrimSuffix(i.URL, "/") + badgeIDPath + url.PathEscape(string(t.ID))
}

// Badge is the credential of a completion, signed as a JWT. A completion that did not
// pass, was revoked or has no end gets none.
func (i Issuer) Badge(t *snapshot.Training, title string) (string, error) {
	if i.URL == "" || i.Key == nil {
		return "", problem.New(problem.Unavailable, "Badges need an address for people", "Set people_url in the configuration")
	}
	if !t.Passed || !t.RevokedAt.IsZero() || t.CompletedAt.IsZero() || t.ExpiresAt.IsZero() {
		return "", problem.New(problem.Conflict, "The completion is no pass, or was revoked", "A badge is for a completion that counts: pass the course again")
	}
	base := strings.TrimSuffix(i.URL, "/")
	about := base + achievementPath + url.PathEscape(t.Course) + "/" + url.PathEscape(t.Version)
	result := func(n, name, kind, value string) (ResultDescription, BadgeResult) {
		at := about + "#" + n
		return ResultDescription{at, []string{"ResultDescription"}, name, kind}, BadgeResult{[]string{"Result"}, at, value}
	}
	var kinds []ResultDescription
	var results []BadgeResult
	add := func(k ResultDescription, r BadgeResult) { kinds, results = append(kinds, k), append(results, r) }
	add(result("score", "Score", "Percent", band(t.Score)))
	if t.Content != "" {
		add(result("content", "SHA-256 of the course as it was taught", "ext:Digest", t.Content))
	}
	tags := slices.Clone(t.Modules)
	if t.Track != "" {
		tags = append(tags, "track "+t.Track)
	}
	if o, ok := OverlayOf(t.Statement.In); ok && !t.Statement.SignedAt.IsZero() {
		tags = append(tags, "statement signed for "+o.Region)
	}
	c := Credential{Context: badgeContexts, ID: i.BadgeID(t), Type: []string{"VerifiableCredential", "OpenBadgeCredential"},
		Issuer:    BadgeProfile{base, []string{"Profile"}, i.Name},
		ValidFrom: t.CompletedAt.UTC().Truncate(time.Second), ValidUntil: t.ExpiresAt.UTC().Truncate(time.Second), Name: title,
		Subject: BadgeSubject{ID: base + accountPath + url.PathEscape(string(t.Person)), Type: []string{"AchievementSubject"},
			Achievement: Achievement{ID: about, Type: []string{"Achievement"}, Name: title, Version: t.Version, Tag: tags,
				Description: "Training on patient privacy for people who work with AI. It shows what a person was taught and asked on a day, and no more.",
				Criteria:    Criteria{Narrative: criteria(t)}, ResultDescription: kinds}, Result: results},
		Status: CredentialStatus{base + RevocationsPath, "1EdTechRevocationList"},
	}
	body, err := json.Marshal(struct {
		Credential
		Iss string `json:"iss"`
		Jti string `json:"jti"`
		Sub string `json:"sub"`
		Nbf int64  `json:"nbf"`
		Exp int64  `json:"exp"`
	}{c, base, c.ID, c.Subject.ID, c.ValidFrom.Unix(), c.ValidUntil.Unix()})
	if err != nil {
		return "", fmt.Errorf("badge: %w", err)
	}
	return sign(i.Key, badgeType, body)
}

// band is the score in steps of five percent: how somebody did, and not which question.
func band(score float64) string { return fmt.Sprintf("%d", int(math.Round(score*100))/5*5) }

func criteria(t *snapshot.Training) string {
	if t.Source == snapshot.FromProduct {
		return fmt.Sprintf("Every lesson of the track read, %d questions drawn and answered with at least %.0f percent right and no critical one wrong, and the conduct rules signed. The numbers are policy.", Drawn, Current().PassMark*100)
	}
	return "As the course that was approved asks; the completion was told to the issuer by a learning management system or a person."
}

func sign(k Signer, typ string, body []byte) (string, error) {
	head, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Typ string `json:"typ"`
		Kid string `json:"kid"`
	}{"ES256", typ, k.KeyID()})
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString(head) + "." + b64.EncodeToString(body)
	sig, err := k.SignES256([]byte(text))
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return text + "." + b64.EncodeToString(sig), nil
}

// Revocations is the list of revoked badges, as of a time. It is signed by the key of
// the badges, so that who checks offline can carry it along; how old it is, is theirs
// to judge.
type Revocations struct {
	Issuer  string    `json:"iss"`
	IssueAt int64     `json:"iat"`
	Revoked []Revoked `json:"revokedCredentials"`
}

// Revoked is one badge that no longer counts.
type Revoked struct {
	ID string    `json:"id"`
	At time.Time `json:"revokedAt"`
}

// RevocationList is the signed list of every completion in the view that was revoked.
func (i Issuer) RevocationList(v *snapshot.View, now time.Time) (string, error) {
	if i.URL == "" || i.Key == nil {
		return "", problem.New(problem.Unavailable, "Badges need an address for people", "Set people_url in the configuration")
	}
	list := Revocations{Issuer: strings.TrimSuffix(i.URL, "/"), IssueAt: now.Unix(), Revoked: []Revoked{}}
	for _, t := range v.Trainings.All() {
		if !t.RevokedAt.IsZero() {
			list.Revoked = append(list.Revoked, Revoked{i.BadgeID(t), t.RevokedAt.UTC()})
		}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("revocations: %w", err)
	}
	return sign(i.Key, listType, body)
}

// maxBadge and maxList bound what is read, in bytes.
const (
	maxBadge = 64 << 10
	maxList  = 8 << 20
)

// Verified is a badge whose signature and dates are right.
type Verified struct {
	Credential
	KeyID string
	// Listed says that a list of revocations was looked at, and ListAge how old it is.
	Listed  bool
	ListAge time.Duration
	// Revoked is set where the list has the badge.
	RevokedAt time.Time
}

func refused(why string) error {
	return problem.New(problem.Invalid, "The badge does NOT verify: "+why, "Ask who showed it for the badge itself, and the issuer for its keys ("+BadgeKeysPath+") and its list ("+RevocationsPath+")")
}

// VerifyBadge checks a badge offline: its signature by one of the issuer's keys (a JWK
// Set), its form, its dates at the time now and, where list is given, that it is not
// revoked in it. It is an error if it is expired, not begun or revoked.
func VerifyBadge(token string, keys []byte, list string, now time.Time) (Verified, error) {
	var out Verified
	token = strings.TrimSpace(token)
	if len(token) > maxBadge || len(list) > maxList {
		return out, refused("it is too long")
	}
	set, err := badgeKeys(keys)
	if err != nil {
		return out, err
	}
	body, kid, err := open(token, badgeType, set)
	if err != nil {
		return out, err
	}
	var claims struct {
		Credential
		Iss string `json:"iss"`
		Jti string `json:"jti"`
		Sub string `json:"sub"`
		Nbf int64  `json:"nbf"`
		Exp int64  `json:"exp"`
	}
	if err := json.Unmarshal(body, &claims); err != nil {
		return out, refused("it is no badge")
	}
	out.Credential, out.KeyID = claims.Credential, kid
	c := &out.Credential
	switch {
	case !slices.Equal(c.Context, badgeContexts) || !slices.Contains(c.Type, "OpenBadgeCredential") || !slices.Contains(c.Type, "VerifiableCredential"):
		return out, refused("it is no Open Badge 3.0")
	case c.ID == "" || claims.Jti != c.ID || claims.Iss == "" || claims.Iss != c.Issuer.ID || claims.Sub != c.Subject.ID ||
		claims.Nbf != c.ValidFrom.Unix() || claims.Exp != c.ValidUntil.Unix():
		return out, refused("its two halves say different things")
	case now.Before(c.ValidFrom):
		return out, refused("it begins on " + c.ValidFrom.Format(time.DateOnly))
	case !now.Before(c.ValidUntil):
		return out, refused("it ran out on " + c.ValidUntil.Format(time.DateOnly))
	}
	if list == "" {
		return out, nil
	}
	raw, _, err := open(strings.TrimSpace(list), listType, set)
	if err != nil {
		return out, err
	}
	var l Revocations
	if err := json.Unmarshal(raw, &l); err != nil || l.Issuer != c.Issuer.ID || l.IssueAt <= 0 || time.Unix(l.IssueAt, 0).After(now.Add(time.Minute)) {
		return out, refused("the list is not this issuer's, or is of a time to come")
	}
	out.Listed, out.ListAge = true, max(now.Sub(time.Unix(l.IssueAt, 0)), 0)
	for _, r := range l.Revoked {
		if r.ID == c.ID {
			out.RevokedAt = r.At
			return out, refused("it was revoked on " + r.At.Format(time.DateOnly))
		}
	}
	return out, nil
}

// badgeKeys reads a JWK Set of P-256 keys, each under its own thumbprint (RFC 7638).
func badgeKeys(raw []byte) (map[string]*ecdsa.PublicKey, error) {
	bad := problem.BadField("keys", "is not a JWK Set of badge keys", "Take it from the issuer: "+BadgeKeysPath)
	var set jose.JSONWebKeySet
	if len(raw) > maxBadge || json.Unmarshal(raw, &set) != nil || len(set.Keys) == 0 {
		return nil, bad
	}
	out := map[string]*ecdsa.PublicKey{}
	for _, k := range set.Keys {
		public, ok := k.Key.(*ecdsa.PublicKey)
		if !ok || public.Curve != elliptic.P256() {
			return nil, bad
		}
		sum, err := k.Thumbprint(crypto.SHA256)
		if err != nil || base64.RawURLEncoding.EncodeToString(sum) != k.KeyID {
			return nil, bad
		}
		out[k.KeyID] = public
	}
	return out, nil
}

// open verifies a JWT of the type by the key that it names.
func open(token, typ string, keys map[string]*ecdsa.PublicKey) (body []byte, kid string, err error) {
	s, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(s.Signatures) != 1 {
		return nil, "", refused("it is not a JWT that ES256 signs")
	}
	h := s.Signatures[0].Protected
	if got, _ := h.ExtraHeaders[jose.HeaderType].(string); got != typ {
		return nil, "", refused("it is of type " + fmt.Sprintf("%q", got))
	}
	key, ok := keys[h.KeyID]
	if !ok {
		return nil, "", refused("the key that it names is not among the issuer's")
	}
	if body, err = s.Verify(key); err != nil {
		return nil, "", refused("its signature is wrong")
	}
	return body, h.KeyID, nil
}

// TitleOf is the title of the course of a completion.
func TitleOf(v *snapshot.View, t *snapshot.Training) string {
	if t.Course == Name {
		return Title
	}
	for _, c := range v.Courses.All() {
		if c.Course == t.Course && c.Version == t.Version {
			return c.Title
		}
	}
	return t.Course
}

// Rests is what the record of a completion rests on, for a reader: a State's law only
// where the person has signed its statement.
func Rests(t *snapshot.Training) []hipaa.Citation {
	out := []hipaa.Citation{hipaa.MustCite("S-308-a-5-i"), hipaa.MustCite("P-530-b-1"), hipaa.MustCite("P-530-b-2-ii")}
	if o, ok := OverlayOf(t.Statement.In); ok {
		out = append(out, hipaa.MustCite(o.Control))
	}
	return out
}

var errNoCertificate = errors.New("a completion that is no pass has no certificate")
