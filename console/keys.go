package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// keysPage is every engagement's keys, and what they all stand on.
type keysPage struct {
	Root    api.SystemKeys
	Kind    string // what protects the root, in words
	List    list
	Waiting int // requests to destroy keys that wait for approval
}

// keyRow is an engagement and what was ordered for its keys.
type keyRow struct {
	*snapshot.Engagement
	Key *snapshot.Key // nil: nothing was ordered
}

var rootKinds = map[string]string{"file": "A key file", "passphrase": "A passphrase", "hashivault": "A key service: Vault Transit", "awskms": "A key service: AWS KMS", "gcpkms": "A key service: Google Cloud KMS", "azurekeyvault": "A key service: Azure Key Vault"}

// state is where the keys are between kept and destroyed.
func (r keyRow) state() string {
	switch {
	case r.Key.Ordered():
		return "destruction ordered"
	case r.Key != nil && r.Key.Destruction != nil:
		return "destruction asked for"
	}
	return "kept"
}

func (s *server) keys(v *visit) (keysPage, error) {
	var p keysPage
	var sys api.System
	if err := s.read(v, "/v1/system", &sys); err != nil {
		return p, err
	}
	p.Root, p.Kind = sys.Keys, rootKinds[sys.Keys.Kind]
	if p.Kind == "" {
		p.Kind = "A key service: " + sys.Keys.Kind
	}
	rows := func(yield func(keyRow) bool) {
		for _, e := range v.View.Engagements.All() {
			r := keyRow{Engagement: e}
			if k, ok := v.View.Keys.Get(e.ID); ok {
				r.Key = k
			}
			if r.state() == "destruction asked for" {
				p.Waiting++
			}
			if !yield(r) {
				return
			}
		}
	}
	f := s.frame(v)
	p.List = listOf(v, listing[keyRow]{Caption: "Keys of engagements", Rows: rows,
		Columns: []column[keyRow]{
			{Key: "engagement", Label: "Engagement", Cell: func(r keyRow) cell { return cell{Text: string(r.ID), Href: "/console/keys/" + string(r.ID)} }},
			{Key: "vendor", Label: "Vendor", Cell: func(r keyRow) cell { x := f.Ref(r.Vendor); return cell{Text: x.Label, Href: x.Href} }},
			{Key: "over", Label: "Work", Cell: func(r keyRow) cell { return marked(r.State) }},
			{Key: "keys", Label: "Keys", Cell: func(r keyRow) cell { return keyMark(r) }},
			{Key: "rotations", Label: "Rotated", Num: true, Cell: func(r keyRow) cell {
				if r.Key == nil {
					return text("0")
				}
				return text(number(r.Key.Rotations))
			}},
			{Key: "codes", Label: "Codes begun anew", Num: true, Cell: func(r keyRow) cell {
				if r.Key == nil {
					return text("0")
				}
				return text(number(r.Key.CodeRotations))
			}},
			{Key: "last", Label: "Last rotated", Cell: func(r keyRow) cell {
				if r.Key == nil {
					return text("never")
				}
				return text(when(r.Key.RotatedAt))
			}},
		},
		Filters: []filter[keyRow]{
			{Key: "keys", Label: "Keys", Of: func(r keyRow) []string { return []string{r.state()} }},
			{Key: "over", Label: "Work", Of: func(r keyRow) []string { return []string{string(r.State)} }},
		},
		Search: func(r keyRow) string { return string(r.ID) + " " + string(r.Vendor) + " " + f.Ref(r.Vendor).Label },
		Empty:  empty{Title: "No engagement yet", Text: "Each engagement gets keys of its own at its first release. They can be destroyed without touching another's."}})
	return p, nil
}

func keyMark(r keyRow) cell {
	m := mark{"Kept", "good"}
	switch r.state() {
	case "destruction ordered":
		m = mark{"Destruction ordered", "off"}
	case "destruction asked for":
		m = mark{fmt.Sprintf("%d of %d approvals to destroy", len(r.Key.Destruction.Approvals), snapshot.KeyApprovals), "wait"}
	}
	return cell{Text: m.Word, Mark: &m}
}

// keyPage is the keys of one engagement.
type keyPage struct {
	keyRow
	Word  mark
	Steps []keyStep
	Ways  []*actLink
	Need  string // what is needed before the keys can be destroyed; empty: nothing
	Legal *snapshot.Hold
}

// keyStep is one person's part in a destruction.
type keyStep struct {
	What string
	By   id.Person
	At   time.Time // zero: not done
}

func (s *server) engagementKey(v *visit) (*snapshot.Engagement, error) {
	e, ok := v.View.Engagements.Get(id.Engagement(v.PathValue("id")))
	if !ok {
		return nil, notFound()
	}
	v.under("Keys", "/console/keys")
	return e, nil
}

func (s *server) key(v *visit) (keyPage, error) {
	e, err := s.engagementKey(v)
	if err != nil {
		return keyPage{}, err
	}
	v.call("Keys of " + string(e.ID))
	p := keyPage{keyRow: keyRow{Engagement: e}}
	if k, ok := v.View.Keys.Get(e.ID); ok {
		p.Key = k
	}
	p.Word = *keyMark(p.keyRow).Mark
	for _, on := range []snapshot.Subject{{Noun: snapshot.NounEngagement, ID: string(e.ID)}, {Noun: snapshot.NounVendor, ID: string(e.Vendor)}} {
		for _, h := range v.View.HoldsOn(on) {
			if h.LiftedAt.IsZero() && h.Cause == snapshot.HoldLegal {
				p.Legal = h
			}
		}
	}
	f := s.frame(v)
	may := func(kind, label string) { p.Ways = append(p.Ways, f.May(kind, "id", e.ID).As(label)) }
	d := (*snapshot.KeyDestruction)(nil)
	if p.Key != nil {
		d = p.Key.Destruction
	}
	switch {
	case d == nil && e.State != snapshot.Ended:
		p.Need = "The engagement is not over: end it first, then one person can ask that its keys are destroyed."
		may("key.rotate", "Rotate")
	case d == nil && p.Legal != nil:
		p.Need = "A legal hold says that records must be kept. Nothing is destroyed until it is lifted."
		may("key.rotate", "Rotate")
	case d == nil:
		may("key.rotate", "Rotate")
		may("key.request-destruction", "Ask to destroy them")
	case !p.Key.Ordered():
		if apart := append([]id.Person{d.RequestedBy}, approvers(d)...); !slices.Contains(apart, v.Person.ID) {
			may("key.approve-destruction", "Approve the destruction")
		}
		may("key.withdraw-destruction", "Withdraw the request")
	}
	if d != nil {
		p.Steps = append(p.Steps, keyStep{"Asked for", d.RequestedBy, d.RequestedAt})
		for i := range snapshot.KeyApprovals {
			step := keyStep{What: fmt.Sprintf("Approval %d of %d", i+1, snapshot.KeyApprovals)}
			if i < len(d.Approvals) {
				step.By, step.At = d.Approvals[i].By, d.Approvals[i].At
			}
			p.Steps = append(p.Steps, step)
		}
	}
	return p, nil
}

func approvers(d *snapshot.KeyDestruction) []id.Person {
	var out []id.Person
	for _, a := range d.Approvals {
		out = append(out, a.By)
	}
	return out
}

// statementPage says what was under an engagement's keys, and what became of it.
type statementPage struct {
	Work worked[*api.KeyStatement]
	Text string
	Mark mark
}

func (s *server) statement(v *visit) (statementPage, error) {
	e, err := s.engagementKey(v)
	if err != nil {
		return statementPage{}, err
	}
	v.call("Statement on the keys of " + string(e.ID))
	v.under(string(e.ID), "/console/keys/"+string(e.ID))
	if v.URL.Query().Get("format") == "json" {
		return statementPage{}, s.pass(v, "/v1/keys/"+string(e.ID)+"/statement", "keys-"+string(e.ID)+".json")
	}
	// Key services are asked, and a destruction goes on by itself: an answer holds for a minute.
	var p statementPage
	p.Work, err = readLater[api.KeyStatement](s, v, "/v1/keys/"+string(e.ID)+"/statement", fmt.Sprint(v.View.Version(), v.Now.Truncate(time.Minute)))
	if err != nil || !p.Work.Known {
		return p, err
	}
	p.Text = strings.TrimSpace(p.Work.Answer.Text())
	p.Mark = map[string]mark{"kept": {"Kept", "good"}, "requested": {"Destruction asked for", "wait"}, "pending": {"Destruction under way", "warn"}, "destroyed": {"Destroyed", "off"}}[p.Work.Answer.State]
	return p, nil
}
