package policy

import (
	"crypto/sha256"
	_ "embed" // the base policy
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

//go:embed base.cedar
var basePolicy string

const baseID = "base"

// Engine holds the loaded policies. It is safe for concurrent use; the zero
// Engine refuses everything.
type Engine struct {
	policies policies
	varying  policies // base, and those whose facts differ from request to request
	gates    []*loadedGate
	own      int           // how many of them are the program's, not the site's
	asked    []*loadedGate // those with facts of the request
	byID     map[types.PolicyID]*loadedGate
	site     bool
	version  string

	cache   atomic.Pointer[viewCache]
	scratch sync.Pool
}

type loadedGate struct {
	Gate
	policyID  types.PolicyID
	citations []hipaa.Citation
	interned  intern
	site      bool
	file      string // of the site
}

// policies is Cedar's policy set in a fixed order, base first.
type policies []policyItem

type policyItem struct {
	id     types.PolicyID
	policy *cedar.Policy
}

// All yields the policies; it makes policies a cedar.PolicyIterator.
func (p policies) All() iter.Seq2[types.PolicyID, *cedar.Policy] {
	return func(yield func(types.PolicyID, *cedar.Policy) bool) {
		for i := range p {
			if !yield(p[i].id, p[i].policy) {
				return
			}
		}
	}
}

// Bounds on site policies: a mistake there must not eat the gateway.
const (
	maxSiteFiles = 256
	maxSiteBytes = 1 << 20
)

// New loads the gates and, from site, the organisation's own policies (nil:
// none). It refuses what it does not understand.
func New(gates []Gate, site fs.FS) (*Engine, error) {
	if len(gates) == 0 {
		return nil, errors.New("policy: no gates: an engine without conditions would permit everything")
	}
	e := &Engine{byID: map[types.PolicyID]*loadedGate{}}
	e.scratch.New = func() any { return &scratch{m: types.RecordMap{}} }
	digest := sha256.New()
	add := func(name, text string) {
		fmt.Fprintf(digest, "%d:%s%d:%s", len(name), name, len(text), text)
	}

	base, err := parseOne("base.cedar", basePolicy)
	if err != nil {
		return nil, err
	}
	e.policies = append(e.policies, policyItem{baseID, base})
	add("base.cedar", basePolicy)
	for _, g := range gates {
		lg, p, err := loadGate(g)
		if err != nil {
			return nil, fmt.Errorf("policy: gate %q: %w", g.ID, err)
		}
		if err := e.add(lg, p); err != nil {
			return nil, err
		}
		add(g.ID+".cedar", g.Policy)
	}
	if site != nil {
		if err := e.loadSite(site, add); err != nil {
			return nil, err
		}
	}
	for _, item := range e.policies {
		if g := e.byID[item.id]; g == nil || g.site || g.Asked != nil {
			e.varying = append(e.varying, item)
		}
	}
	e.version = hex.EncodeToString(digest.Sum(nil))
	return e, nil
}

func (e *Engine) add(g *loadedGate, p *cedar.Policy) error {
	if _, twice := e.byID[g.policyID]; twice || g.policyID == baseID {
		return fmt.Errorf("policy: two policies are called %q; give each an @id of its own", g.policyID)
	}
	e.policies = append(e.policies, policyItem{g.policyID, p})
	e.byID[g.policyID] = g
	e.gates = append(e.gates, g)
	if !g.site {
		e.own++
	}
	if g.Asked != nil {
		if len(e.asked) == maxParts {
			return fmt.Errorf("policy: more than %d gates ask about the request", maxParts)
		}
		e.asked = append(e.asked, g)
	}
	return nil
}

// Version is the SHA-256, in hex, of every policy text that was loaded: base,
// gates, site. The Go code that supplies the facts is not in it; the build's
// version is.
func (e *Engine) Version() string {
	if e == nil {
		return ""
	}
	return e.version
}

// SiteRule is one of the organisation's own rules, as a reader is shown it.
type SiteRule struct {
	Gate     string // "site:<id>"
	Title    string
	File     string
	Policy   string // Cedar text, formatted
	Audience Audience
	Reason   Reason
	Citation hipaa.Citation
}

// SiteRules lists the organisation's own rules, in the order in which they were read.
func (e *Engine) SiteRules() []SiteRule {
	var out []SiteRule
	if e == nil {
		return out
	}
	for _, g := range e.gates {
		if g.site {
			out = append(out, SiteRule{g.ID, g.Title, g.file, g.Policy, g.Audience, g.Reasons[0], g.citations[0]})
		}
	}
	return out
}

func loadGate(g Gate) (*loadedGate, *cedar.Policy, error) {
	if id.Check(g.ID) != nil || strings.ToLower(g.ID) != g.ID {
		return nil, nil, errors.New("its id is not a lower-case word")
	}
	lg := &loadedGate{Gate: g, policyID: types.PolicyID(g.ID)}
	switch {
	case g.Title == "":
		return nil, nil, errors.New("no title")
	case g.Known == nil && g.Asked == nil:
		return nil, nil, errors.New("no facts")
	case len(g.Reasons) == 0:
		return nil, nil, errors.New("no reasons")
	case g.Stage != AtRequest && g.Stage != AtContent:
		return nil, nil, fmt.Errorf("no stage %q", g.Stage)
	}
	for _, r := range g.Reasons {
		if r.Code == "" || r.Message == "" || r.NextStep == "" || r.Fails == nil || (r.Who != ByVendor && r.Who != ByOrganisation) {
			return nil, nil, fmt.Errorf("reason %q lacks a code, message, next step, condition or who can mend it", r.Code)
		}
	}
	var err error
	if lg.citations, err = cite(g.Cites); err != nil {
		return nil, nil, err
	}
	p, err := parseOne(g.ID+".cedar", g.Policy)
	if err != nil {
		return nil, nil, err
	}
	if p.Effect() != cedar.Forbid {
		return nil, nil, errors.New("its policy permits; a gate can only forbid")
	}
	if got := string(p.Annotations()["id"]); got != g.ID {
		return nil, nil, fmt.Errorf("its policy has @id(%q)", got)
	}
	return lg, p, nil
}

func cite(controls []string) ([]hipaa.Citation, error) {
	if len(controls) == 0 {
		return nil, errors.New(`no citation; use "policy" where no law sets the rule`)
	}
	var out []hipaa.Citation
	for _, c := range controls {
		if c == "policy" {
			out = append(out, hipaa.Policy)
			continue
		}
		control, ok := hipaa.LookupControl(c)
		if !ok {
			return nil, fmt.Errorf("no control %q in the catalogue", c)
		}
		out = append(out, control.Cite())
	}
	return out, nil
}

// parse reads policies; a syntax error names the file and the line.
func parse(file, text string) (cedar.PolicyList, error) {
	list, err := cedar.NewPolicyListFromBytes(file, []byte(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

func parseOne(file, text string) (*cedar.Policy, error) {
	list, err := parse(file, text)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("%s: holds %d policies; it must hold one", file, len(list))
	}
	return list[0], nil
}

// loadSite adds the organisation's own policies: every .cedar file in the
// folder and below it.
func (e *Engine) loadSite(site fs.FS, add func(name, text string)) error {
	files := 0
	return fs.WalkDir(site, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("policy: reading the policy directory: %w", err)
		}
		if d.IsDir() || path.Ext(name) == ".md" {
			return nil
		}
		if path.Ext(name) != ".cedar" {
			return fmt.Errorf("policy: %s: a policy directory holds .cedar files (and .md notes); a rule in a file that is not read would be a rule that is not kept", name)
		}
		if files++; files > maxSiteFiles {
			return fmt.Errorf("policy: more than %d site policy files", maxSiteFiles)
		}
		if info, err := d.Info(); err != nil || info.Size() > maxSiteBytes {
			return fmt.Errorf("policy: %s: unreadable, or larger than %d bytes", name, maxSiteBytes)
		}
		text, err := fs.ReadFile(site, name)
		if err != nil {
			return fmt.Errorf("policy: %s: %w", name, err)
		}
		add("site/"+name, string(text))
		return e.addSite(name, string(text))
	})
}

func (e *Engine) addSite(name, text string) error {
	list, err := parse(name, text)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	if len(list) == 0 {
		return fmt.Errorf("policy: %s: holds no policy; remove the file or write one", name)
	}
	for _, p := range list {
		where := fmt.Sprintf("policy: %s:%d", name, p.Position().Line)
		a := p.Annotations()
		own := string(a["id"])
		switch {
		case p.Effect() != cedar.Forbid:
			return fmt.Errorf("%s: a site policy can only forbid; this one permits", where)
		case own == "":
			return fmt.Errorf(`%s: the policy has no @id("...")`, where)
		case id.Check(own) != nil:
			return fmt.Errorf("%s: @id(%q): use up to 64 letters, digits, '-', '.' or '_'", where, own)
		}
		g, err := siteGate(own, a)
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		g.Policy, g.file = string(p.MarshalCedar()), name
		if err := e.add(g, p); err != nil {
			return err
		}
		e.site = true
	}
	return nil
}

func siteGate(own string, a cedar.Annotations) (*loadedGate, error) {
	or := func(key types.AnnotationKey, otherwise string) string {
		if s := string(a[key]); s != "" {
			return s
		}
		return otherwise
	}
	who := Who(or("who", string(ByOrganisation)))
	if who != ByVendor && who != ByOrganisation {
		return nil, fmt.Errorf("@who(%q): vendor or organisation", who)
	}
	audience := Audience(or("audience", ownerLabel))
	switch audience {
	case ownerLabel:
		audience = Owner
	case VendorToo:
	default:
		return nil, fmt.Errorf("@audience(%q): vendor or owner", audience)
	}
	gateID := "site:" + own
	return &loadedGate{
		Gate: Gate{
			ID: gateID, Title: or("title", "A rule of this organisation: "+own),
			Audience: audience, Stage: AtRequest,
			Reasons: []Reason{{
				Code:     "forbidden",
				Message:  or("message", "A rule of this organisation forbids it"),
				NextStep: or("next_step", "Ask the organisation about its rule "+own),
				Who:      who,
				Fails:    func(Values) bool { return true },
			}},
		},
		policyID:  types.PolicyID(gateID),
		citations: []hipaa.Citation{{Text: or("citation", hipaa.Policy.Text), Verified: hipaa.PolicyOnly}},
		site:      true,
	}, nil
}

// clauses sorts what was relied on into agreements and clause ids, each once.
func clauses(relies []Clause) (agreements []id.Agreement, ids []string) {
	for _, c := range relies {
		agreements = append(agreements, c.Agreement)
		if c.Term != "" {
			ids = append(ids, string(c.Agreement)+"/"+c.Term)
		}
	}
	slices.Sort(agreements)
	slices.Sort(ids)
	return slices.Compact(agreements), slices.Compact(ids)
}
