package console

import (
	"cmp"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/portal"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// What a vendor's own people see. Each of these screens begins with firmOf, which knows
// no vendor but the visitor's, and takes what it shows from there.

const firmPath = "/console/my"

func firmScreens() []screen {
	return slices.Concat([]screen{on("firm_home", "Where you stand", "GET "+firmPath, theirs, (*server).firmHome)},
		firmAccessScreens(), firmConnectScreens(), firmActivityScreens(), firmPaperScreens(), firmTeamScreens())
}

// firm is what is the visitor's own vendor's in the registry.
type firm struct {
	v      *visit
	vendor *snapshot.Vendor
}

func firmOf(v *visit) (firm, error) {
	x, ok := v.View.Vendors.Get(v.Person.Vendor)
	if !ok || v.ours() {
		return firm{}, notFound()
	}
	return firm{v, x}, nil
}

// has reports whether an engagement is the firm's.
func (f firm) has(e id.Engagement) bool {
	w, ok := f.v.View.Engagements.Get(e)
	return ok && w.Vendor == f.vendor.ID
}

// grants are the firm's, or those of one of its people, in the order of their ids.
func (f firm) grants(of id.Person) []*snapshot.Grant {
	all := grantsOf(f.v.View, f.vendor.ID)
	if of == "" {
		return all
	}
	return slices.DeleteFunc(all, func(g *snapshot.Grant) bool { return g.Person != of })
}

func (f firm) devices() []*snapshot.Device {
	return f.v.View.DevicesOf(f.vendor.ID)
}

func (f firm) apps() []*snapshot.App {
	return f.v.View.AppsOf(f.vendor.ID)
}

// name is a person as the firm may know them: its own people by name, and of the
// organisation's only that they are.
func (f firm) name(p id.Person) string {
	if x, ok := f.v.View.Persons.Get(p); ok && x.Vendor == f.vendor.ID {
		return cmp.Or(x.Name, string(x.ID))
	}
	if p == "" {
		return ""
	}
	return f.v.s.Organisation
}

// firmDoor is a grant as the data door sees it, in what a vendor may know.
type firmDoor struct {
	Grant   *snapshot.Grant
	Work    *snapshot.Engagement
	Role    *snapshot.Role
	State   string // "open", "closed", "waiting" or "over"
	Reasons []firmReason
}

// firmReason is why a door is closed: the vendor's view of it, and where it is mended.
type firmReason struct {
	problem.Reason
	Title string
	Cite  citation
	Mend  *actLink
}

// door asks the gates about a grant on each of its machines, and tells of the one that
// comes furthest.
func (f firm) door(g *snapshot.Grant) firmDoor {
	v := f.v
	out := firmDoor{Grant: g, State: "closed"}
	out.Work, _ = v.View.Engagements.Get(g.Engagement)
	out.Role, _ = v.View.Roles.Get(g.Role)
	switch {
	case g.State == snapshot.Ended || !v.Now.Before(g.EndsAt):
		out.State = "over"
		return out
	case g.State == snapshot.Proposed:
		out.State = "waiting"
		return out
	}
	devices := g.Devices
	if len(devices) == 0 {
		devices = []id.Device{""}
	}
	var best []policy.Failure
	for i, d := range devices {
		q := forecast.Question(v.View, g, d)
		q.Now = v.Now
		failures := v.s.Policy.Foresee(q).Failures()
		if len(failures) == 0 {
			out.State = "open"
			return out
		}
		if i == 0 || len(failures) < len(best) {
			best = failures
		}
	}
	for _, r := range (&policy.Refusal{Failures: best}).For(policy.VendorToo) {
		out.Reasons = append(out.Reasons, f.reason(r, g))
	}
	return out
}

// reason says where a vendor's person mends what stands in the way, if they can.
func (f firm) reason(r problem.Reason, g *snapshot.Grant) firmReason {
	out := firmReason{Reason: r, Title: firmGateTitle(r.Gate), Cite: citation{Text: r.Citation, Verified: cmp.Or(verifiedWords[hipaa.Verified(r.Verified)], words(r.Verified))}}
	to := func(label, href string) { out.Mend = &actLink{Href: href, Label: label} }
	switch r.Gate {
	case "training":
		if g != nil && g.Person == f.v.Person.ID {
			to("Take the training", "/portal/course")
		} else {
			to("See who has to take it", firmPath+"/team")
		}
	case "agreement", "permitted_use", "subcontractors", "region":
		to("See your papers", firmPath+"/papers")
	case "certification":
		to("Send the certificate", firmPath+"/certificates")
	case "assessment", "screening":
		to("See your questionnaires", firmPath+"/questionnaires")
	case "device", "posture", "app", "workload", "sealing", "transport":
		to("See your machines and programs", firmPath+"/connect")
	case "person":
		to("See your team", firmPath+"/team")
	case "grant", "role", "volume", "review", "engagement":
		if g != nil {
			to("Ask for it", firmAskPath(g))
		}
	}
	return out
}

// firmAskPath is the form that asks for what a grant had.
func firmAskPath(g *snapshot.Grant) string {
	return firmPath + "/ask?" + url.Values{"engagement": {string(g.Engagement)}, "from": {string(g.ID)}}.Encode()
}

// firmGateTitle is a gate as people call it.
func firmGateTitle(gate string) string {
	switch gate {
	case "baa", "agreement":
		return "Agreements"
	case "permitted_use":
		return "Permitted use"
	case "app":
		return "Program"
	case "withheld":
		return "The organisation's own condition"
	}
	return words(gate)
}

// firmHome is where a vendor's person begins.
type firmHome struct {
	Vendor     *snapshot.Vendor
	Summary    string
	Tone       string
	Tasks      []portal.Task
	Report     string // where an incident is reported
	PaperDoor  template.HTML
	DataDoor   template.HTML
	Papers     []firmLine
	Doors      []firmWork
	Next       []firmStop
	Later      []firmStop // folded
	Made       time.Time
	MayWait    bool // the forecast is not there yet
	Open, Shut int  // grants
}

// firmLine is one thing on a door: what, how it stands, and where it is looked at.
type firmLine struct {
	What string
	Href string
	Mark mark
	Help string
}

// firmWork is an engagement with what is open of it.
type firmWork struct {
	*snapshot.Engagement
	Open, Shut, Waiting int
	Reasons             []firmReason // of what is shut, each once
	Mine                bool         // the visitor has a grant in it
}

const (
	firmAhead = 90 * 24 * time.Hour
	firmStops = 4 // dates that are not folded
)

func (s *server) firmHome(v *visit) (firmHome, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmHome{}, err
	}
	v.call("Where " + f.vendor.Name + " stands")
	h := firmHome{Vendor: f.vendor, Tasks: portal.Tasks(v.View, v.Person, v.Now), Report: "/portal/incidents/" + url.PathEscape(string(f.vendor.ID))}
	h.Papers = f.paperLines()
	h.Doors, h.Open, h.Shut = f.work()
	stops, made := s.ahead.Within(v.Context(), v.Now, firmAhead)
	h.Made, h.MayWait = made, made.IsZero()
	for _, x := range stops {
		if x.ForVendor && x.Vendor == f.vendor.ID {
			h.Next = append(h.Next, f.stop(x))
		}
	}
	if len(h.Next) > firmStops+1 {
		h.Next, h.Later = h.Next[:firmStops], h.Next[firmStops:]
	}
	// The first door is shut where a paper stands in the way of what was granted; what is
	// only unfinished shuts nothing.
	shut := slices.ContainsFunc(h.Papers, func(x firmLine) bool { return x.Mark.Tone == "bad" })
	h.PaperDoor = firmDoorPicture("papers-door", "The first door: papers", !shut && f.inForce(), shut)
	h.DataDoor = firmDoorPicture("data-door", "The second door: data", h.Open > 0, h.Shut > 0)
	switch {
	case f.vendor.State != snapshot.Approved:
		h.Tone, h.Summary = "warn", "Your firm is "+strings.ToLower(stateOf(f.vendor.State).Word)+" here: nothing is released to it now."
	case h.Open > 0 && h.Shut == 0:
		h.Tone, h.Summary = "good", "Data is open for everything that you were given."
	case h.Open > 0:
		h.Tone, h.Summary = "warn", fmt.Sprintf("Data is open for %s, and closed for %s. The reasons are below.", plural(h.Open, "grant"), plural(h.Shut, "grant"))
	case h.Shut > 0:
		h.Tone, h.Summary = "bad", "Data is closed. What is in the way, and who can mend it, is below."
	default:
		h.Tone, h.Summary = "wait", "You have no access yet. First come the papers; then ask for the data that your work needs."
	}
	return h, nil
}

// firmStop is what closes at a date and, where the firm can act, of which person or record
// and on which page.
type firmStop struct {
	forecast.Stop
	Of   string
	Mend *actLink
}

func (f firm) stop(x forecast.Stop) firmStop {
	out := firmStop{Stop: x}
	if x.Who != string(policy.ByVendor) || len(x.Grants) == 0 {
		return out
	}
	if out.Of = x.Subject.ID; x.Subject.Noun == snapshot.NounPerson {
		out.Of = f.name(id.Person(x.Subject.ID))
	}
	g, _ := f.v.View.Grants.Get(x.Grants[0])
	out.Mend = f.reason(problem.Reason{Gate: x.Gate}, g).Mend
	return out
}

// inForce reports whether there is an agreement in force.
func (f firm) inForce() bool {
	return slices.ContainsFunc(f.v.View.AgreementsOf(f.vendor.ID), func(a *snapshot.Agreement) bool { return firmAgreementStanding(a, f.v.Now) == "in force" })
}

// paperLines is how the first door sees the firm.
func (f firm) paperLines() []firmLine {
	v, now := f.v.View, f.v.Now
	var force, sign, over int
	for _, a := range v.AgreementsOf(f.vendor.ID) {
		switch firmAgreementStanding(a, now) {
		case "in force":
			force++
		case "to sign", "waits for approval":
			sign++
		default:
			over++
		}
	}
	lines := []firmLine{{What: "Agreements", Href: firmPath + "/papers", Mark: mark{"None yet", "off"}, Help: "The organisation drafts them; you sign them here."}}
	switch {
	case sign > 0:
		lines[0].Mark, lines[0].Help = mark{fmt.Sprintf("%d not complete", sign), "wait"}, fmt.Sprintf("%d in force.", force)
	case force > 0:
		lines[0].Mark, lines[0].Help = mark{"In force", "good"}, plural(force, "agreement")+"."
	case over > 0:
		lines[0].Mark, lines[0].Help = mark{"None in force", "bad"}, plural(over, "agreement")+" ended or suspended."
	}
	cert := firmLine{What: "Certificates", Href: firmPath + "/certificates", Mark: mark{"None recorded", "off"}}
	counts, weak, waits := 0, 0, 0
	for _, c := range v.CertificationsOf(f.vendor.ID) {
		switch {
		case c.Type == "" || c.Person != "" || c.VerifiedAt.IsZero() && !c.RevokedAt.IsZero(): // one that was never accepted is over
		case c.Waits(now):
			waits++
		case diligence.Judge(c, v, now).Counts:
			counts++
		default:
			weak++
		}
	}
	switch {
	case waits > 0:
		cert.Mark, cert.Help = mark{fmt.Sprintf("%d not verified yet", waits), "wait"}, fmt.Sprintf("%d count.", counts)
	case weak > 0:
		cert.Mark, cert.Help = mark{fmt.Sprintf("%d do not count", weak), "warn"}, fmt.Sprintf("%d count.", counts)
	case counts > 0:
		cert.Mark, cert.Help = mark{"They count", "good"}, plural(counts, "certificate")+"."
	}
	ask := firmLine{What: "Questionnaires", Href: firmPath + "/questionnaires", Mark: mark{"Nothing asked", "off"}}
	var open, read, done int
	var due time.Time // of those that wait for the firm, the first
	for _, q := range v.QuestionnairesOf(f.vendor.ID) {
		switch {
		case q.Withdrawn:
		case q.Stage == snapshot.QuestionsSent:
			if open++; due.IsZero() || q.DueAt.Before(due) {
				due = q.DueAt
			}
		case q.Stage == snapshot.QuestionsSubmitted:
			read++
		default:
			done++
		}
	}
	switch {
	case open > 0 && now.After(due):
		ask.Mark, ask.Help = mark{"Overdue", "bad"}, "It was due "+ago(now, due)+", "+day(due)+"."
	case open > 0:
		ask.Mark, ask.Help = mark{"Waits for you", "wait"}, "Due "+ago(now, due)+", "+day(due)+"."
	case read > 0:
		ask.Mark, ask.Help = mark{"Handed in", "good"}, "The organisation reads your answers."
	case done > 0:
		ask.Mark, ask.Help = mark{"All answered", "good"}, plural(done, "questionnaire")+"."
	}
	trained, people := 0, 0
	for _, p := range v.PersonsOf(f.vendor.ID) {
		if p.State == snapshot.Approved {
			people++
			if course.Assess(v, p, nil, diligence.At(now)).Current(diligence.At(now)) {
				trained++
			}
		}
	}
	train := firmLine{What: "Training", Href: firmPath + "/team", Mark: mark{"Complete", "good"}, Help: fmt.Sprintf("%d of %s.", trained, firmPeople(people))}
	if trained < people {
		train.Mark = mark{"Not complete", "warn"}
	}
	return append(lines, cert, ask, train)
}

func firmPeople(n int) string {
	if n == 1 {
		return "1 person"
	}
	return number(n) + " people"
}

// work is how the second door sees each engagement that is not over.
func (f firm) work() (out []firmWork, open, shut int) {
	at := map[id.Engagement]*firmWork{}
	for _, e := range f.v.View.EngagementsOf(f.vendor.ID) {
		if e.State != snapshot.Ended && f.v.Now.Before(e.EndsAt) {
			out = append(out, firmWork{Engagement: e})
		}
	}
	for i := range out {
		at[out[i].ID] = &out[i]
	}
	for _, g := range f.grants("") {
		w, ok := at[g.Engagement]
		if !ok {
			continue
		}
		d := f.door(g)
		switch d.State {
		case "open":
			w.Open++
			open++
		case "waiting":
			w.Waiting++
		case "closed":
			w.Shut++
			shut++
		default:
			continue
		}
		w.Mine = w.Mine || g.Person == f.v.Person.ID
		for _, r := range d.Reasons {
			if !slices.ContainsFunc(w.Reasons, func(x firmReason) bool { return x.Gate == r.Gate && x.Message == r.Message }) {
				w.Reasons = append(w.Reasons, r)
			}
		}
	}
	return out, open, shut
}

// firmDoorPicture is a door: open, shut, or one at which nobody has been. The words
// beside it say the same.
func firmDoorPicture(key, title string, open, shut bool) template.HTML {
	state, class := "Nothing has come to it yet.", "off"
	switch {
	case open:
		state, class = "It is open.", "good"
	case shut:
		state, class = "It is closed.", "bad"
	}
	c := draw.New(key, 56, 64, title, state)
	c.Round(6, 3, 40, 58, 2, "sheet")
	if open {
		c.Path("M46 3 L22 10 L22 62 L46 61 Z", class+" firm-leaf", 1)
	} else {
		c.Rect(9, 6, 34, 55, class)
		c.Circle(37, 34, 2.5, "sheet", "")
	}
	return c.SVG()
}
