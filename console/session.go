package console

import (
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// sessionsPage is who is signed in, where, and since when.
type sessionsPage struct {
	Tabs  []tab
	Ended bool   // those that are over are shown, too
	Other string // the page with, or without them
	Idle  time.Duration
	Life  time.Duration
	Live  int
	List  list
}

// sessionRow is a session, and when it was last used.
type sessionRow struct {
	*snapshot.Session
	Seen time.Time
}

var sessionMethods = map[snapshot.SignInMethod]string{snapshot.ByPasskey: "Passkey", snapshot.ByOIDC: "Identity provider", snapshot.ByCertificate: "Certificate"}

func methodOptions() []option {
	var out []option
	for _, m := range []snapshot.SignInMethod{snapshot.ByPasskey, snapshot.ByOIDC, snapshot.ByCertificate} {
		out = append(out, option{Value: string(m), Label: sessionMethods[m]})
	}
	return out
}

// sessionState says whether a session counts: "live", "idle", "ended" or "expired".
func sessionState(v *visit, x *snapshot.Session) string {
	switch {
	case !x.EndedAt.IsZero():
		return "ended"
	case !x.Live(v.Now):
		return "expired"
	case x.Idle(v.Now, v.View.Settings.SessionIdle):
		return "idle"
	}
	return "live"
}

func sessionSeen(x *snapshot.Session) time.Time {
	last := x.StartedAt
	for _, t := range []time.Time{x.SeenAt, x.SteppedUpAt} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

func (s *server) sessions(v *visit) (sessionsPage, error) {
	p := sessionsPage{Tabs: machineTabs("Sessions"), Ended: v.URL.Query().Get("ended") != "", Idle: v.View.Settings.SessionIdle, Life: v.View.Settings.SessionLife}
	if p.Ended {
		p.Other = with(v.URL, "ended", "", "page", "")
	} else {
		p.Other = with(v.URL, "ended", "1", "page", "")
	}
	rows := func(yield func(*snapshot.Session) bool) {
		for _, x := range v.View.Sessions.All() {
			if sessionState(v, x) == "live" {
				p.Live++
			} else if !p.Ended {
				continue
			}
			if !yield(x) {
				return
			}
		}
	}
	f := s.frame(v)
	name := func(r *snapshot.Session) string { return personName(v.View, r.Person) }
	p.List = listOf(v, listing[*snapshot.Session]{Caption: "Sessions", Rows: rows, Keep: []string{"ended"},
		Columns: []column[*snapshot.Session]{
			{Key: "person", Label: "Person", Cell: func(r *snapshot.Session) cell {
				c := cell{Text: name(r), Href: f.Ref(r.Person).Href, Help: string(r.Person)}
				if r.ID == v.Session.ID {
					c.Help = "you, here"
				}
				return c
			}, Sort: name},
			{Key: "of", Label: "Of", Cell: func(r *snapshot.Session) cell {
				if r.Vendor == "" {
					return text(s.Organisation)
				}
				x := f.Ref(r.Vendor)
				return cell{Text: x.Label, Href: x.Href}
			}, Sort: func(r *snapshot.Session) string {
				if r.Vendor == "" {
					return s.Organisation
				}
				return vendorName(v.View, r.Vendor)
			}},
			{Key: "method", Label: "Signed in by", Cell: func(r *snapshot.Session) cell {
				c := cell{Text: sessionMethods[r.Method], Help: r.Client}
				if r.Connector != "" {
					c.Text += ", " + string(r.Connector)
				}
				return c
			}},
			{Key: "with", Label: "With", File: true, Cell: func(r *snapshot.Session) cell { return text(r.Client) }},
			{Key: "started", Label: "Since", File: true, Cell: func(r *snapshot.Session) cell { return cell{Text: when(r.StartedAt)} }, Time: func(r *snapshot.Session) time.Time { return r.StartedAt }},
			{Key: "seen", Label: "Last used", Wide: true, Cell: func(r *snapshot.Session) cell {
				seen := sessionSeen(r)
				return cell{Text: when(seen), Help: ago(v.Now, seen) + "; began " + ago(v.Now, r.StartedAt)}
			}, Time: func(r *snapshot.Session) time.Time { return sessionSeen(r) }},
			{Key: "passkey", Label: "Passkey touched", File: true, Cell: func(r *snapshot.Session) cell { return text(when(r.SteppedUpAt)) }, Time: func(r *snapshot.Session) time.Time { return r.SteppedUpAt }},
			{Key: "programs", Label: "Programs that act", File: true, Cell: func(r *snapshot.Session) cell {
				var out []string
				for i := range r.Apps {
					if a := &r.Apps[i]; a.Live() && !slices.Contains(out, string(a.App)) {
						out = append(out, string(a.App))
					}
				}
				return text(strings.Join(out, ", "))
			}},
			{Key: "state", Label: "State", Cell: func(r *snapshot.Session) cell { return marked(sessionState(v, r)) }},
			{Key: "act", Label: "Act", Fixed: true, Cell: func(r *snapshot.Session) cell { return sessionAct(v, f, r) }},
		},
		Filters: []filter[*snapshot.Session]{
			{Key: "method", Label: "Signed in by", Of: func(r *snapshot.Session) []string { return []string{string(r.Method)} }, Options: methodOptions()},
			vendorFilter(v, func(r *snapshot.Session) id.Vendor { return r.Vendor }),
		},
		Search: func(r *snapshot.Session) string {
			return strings.Join([]string{string(r.ID), string(r.Person), name(r), string(r.Vendor), r.Client}, " ")
		},
		Sort:  "-seen",
		Empty: empty{Title: "Nobody is signed in", Text: "A session begins when a person signs in, and ends by itself when it is not used."}})
	return p, nil
}

// sessionAct ends a session: one's own by signing out, another's by killing it.
func sessionAct(v *visit, f Frame, r *snapshot.Session) cell {
	if state := sessionState(v, r); state != "live" && state != "idle" {
		return cell{}
	}
	if r.ID == v.Session.ID {
		return text("sign out, above")
	}
	if a := f.May("session.kill", "id", r.ID); a != nil {
		return cell{Text: "End it", Href: a.Href}
	}
	return cell{}
}

// holdsPage is what is stopped, and what was.
type holdsPage struct {
	All   bool
	Other string
	Open  int
	List  list
}

var holdCauses = map[snapshot.HoldCause]string{snapshot.HoldIncident: "An incident", snapshot.HoldFinding: "A finding", snapshot.HoldOffboarding: "Offboarding",
	snapshot.HoldLegal: "Legal: records must be kept", snapshot.HoldOwner: "Your own decision"}

func (s *server) holds(v *visit) (holdsPage, error) {
	p := holdsPage{All: v.URL.Query().Get("lifted") != ""}
	if p.All {
		p.Other = with(v.URL, "lifted", "", "page", "")
	} else {
		p.Other = with(v.URL, "lifted", "1", "page", "")
	}
	rows := func(yield func(*snapshot.Hold) bool) {
		for _, h := range v.View.Holds.All() {
			if h.LiftedAt.IsZero() {
				p.Open++
			} else if !p.All {
				continue
			}
			if !yield(h) {
				return
			}
		}
	}
	f := s.frame(v)
	link := func(x any) cell { r := f.Ref(x); return cell{Text: r.Label, Href: r.Href} }
	state := func(h *snapshot.Hold) string {
		if h.LiftedAt.IsZero() {
			return "in force"
		}
		return "lifted"
	}
	p.List = listOf(v, listing[*snapshot.Hold]{Caption: "Holds", Rows: rows, Keep: []string{"lifted"},
		Columns: []column[*snapshot.Hold]{
			{Key: "id", Label: "Hold", File: true, Cell: func(h *snapshot.Hold) cell { return text(string(h.ID)) }},
			{Key: "on", Label: "Stops", Cell: func(h *snapshot.Hold) cell {
				c := link(h.On)
				c.Help = string(h.On.Noun)
				return c
			}},
			{Key: "cause", Label: "Because of", Cell: func(h *snapshot.Hold) cell { return text(holdCauses[h.Cause]) }},
			{Key: "by", Label: "Placed by", Cell: func(h *snapshot.Hold) cell { return link(h.PlacedBy) }},
			{Key: "placed", Label: "On", Wide: true, Cell: func(h *snapshot.Hold) cell { return cell{Text: when(h.PlacedAt), Help: ago(v.Now, h.PlacedAt)} }, Sort: func(h *snapshot.Hold) string { return iso(h.PlacedAt) }},
			{Key: "state", Label: "State", Cell: func(h *snapshot.Hold) cell {
				if h.LiftedAt.IsZero() {
					return cell{Text: "In force", Mark: &mark{"In force", "warn"}}
				}
				c := marked("lifted")
				c.Help = when(h.LiftedAt) + " by " + f.Ref(h.LiftedBy).Label
				return c
			}},
			{Key: "act", Label: "Act", Fixed: true, Cell: func(h *snapshot.Hold) cell {
				switch a := f.May("hold.lift", "id", h.ID); {
				case !h.LiftedAt.IsZero() || a == nil:
					return cell{}
				case h.PlacedBy == v.Person.ID:
					return text("another must lift it")
				default:
					return cell{Text: "Lift it", Href: a.Href}
				}
			}},
		},
		Filters: []filter[*snapshot.Hold]{
			{Key: "what", Label: "Stops", Of: func(h *snapshot.Hold) []string { return []string{string(h.On.Noun)} }},
			{Key: "cause", Label: "Because of", Of: func(h *snapshot.Hold) []string { return []string{string(h.Cause)} }},
			{Key: "state", Label: "State", Of: func(h *snapshot.Hold) []string { return []string{state(h)} }},
		},
		Search: func(h *snapshot.Hold) string {
			return strings.Join([]string{string(h.ID), h.On.ID, string(h.On.Noun), string(h.PlacedBy), f.Ref(h.On).Label}, " ")
		},
		Sort:  "-placed",
		Empty: empty{Title: "Nothing is on hold", Text: "A hold stops everything about a vendor, an engagement, a person, a device, a program or a grant at once, also a download that is under way. One person places it, another lifts it.", Act: f.May("hold.place").As("Place a hold")}})
	return p, nil
}

// holdOn is the newest hold in force on a record; nil: there is none.
func holdOn(v *snapshot.View, noun snapshot.Noun, key string) *snapshot.Hold {
	for _, h := range slices.Backward(v.HoldsOn(snapshot.Subject{Noun: noun, ID: key})) {
		if h.LiftedAt.IsZero() {
			return h
		}
	}
	return nil
}

// workloadsPage is what is attested of the images that machines run.
type workloadsPage struct {
	Tabs []tab
	List list
}

func (s *server) workloads(v *visit) (workloadsPage, error) {
	f := s.frame(v)
	link := func(x any) cell { r := f.Ref(x); return cell{Text: r.Label, Href: r.Href} }
	state := func(a *snapshot.Attestation) string {
		switch e, ok := v.View.Engagements.Get(a.Engagement); {
		case !a.RevokedAt.IsZero():
			return "revoked"
		case !v.Now.Before(a.ExpiresAt):
			return "expired"
		case !ok || e.Workload == nil || e.Workload.Digest() != a.Demand256:
			return "demand changed"
		}
		return "verified"
	}
	return workloadsPage{machineTabs("Workloads"), listOf(v, listing[*snapshot.Attestation]{Caption: "Attestations of workloads", Rows: values(v.View.Attestations.All()),
		Columns: []column[*snapshot.Attestation]{
			{Key: "device", Label: "Device", Cell: func(a *snapshot.Attestation) cell { return link(a.Device) }},
			{Key: "engagement", Label: "For", Cell: func(a *snapshot.Attestation) cell { return link(a.Engagement) }},
			{Key: "image", Label: "Image", Cell: func(a *snapshot.Attestation) cell { return cell{Text: short(a.Image256), Help: "SHA-256"} }},
			{Key: "kind", Label: "Proof", Cell: func(a *snapshot.Attestation) cell { return cell{Text: demandWord(a.Kind), Help: a.Builder} }},
			{Key: "key", Label: "Signed by key", Cell: func(a *snapshot.Attestation) cell { return text(short(a.Key256)) }},
			{Key: "by", Label: "Said to run there by", Cell: func(a *snapshot.Attestation) cell { return link(a.DeclaredBy) }},
			{Key: "at", Label: "Verified", Cell: func(a *snapshot.Attestation) cell { return text(when(a.At)) }, Sort: func(a *snapshot.Attestation) string { return iso(a.At) }},
			{Key: "expires", Label: "Until", Cell: func(a *snapshot.Attestation) cell { return text(when(a.ExpiresAt)) }, Sort: func(a *snapshot.Attestation) string { return iso(a.ExpiresAt) }},
			{Key: "state", Label: "State", Cell: func(a *snapshot.Attestation) cell { return marked(state(a)) }},
			{Key: "act", Label: "Act", Fixed: true, Cell: func(a *snapshot.Attestation) cell {
				if x := f.May("workload.revoke", "id", a.ID); x != nil && a.RevokedAt.IsZero() {
					return cell{Text: "Revoke", Href: x.Href}
				}
				return cell{}
			}},
		},
		Filters: []filter[*snapshot.Attestation]{{Key: "state", Label: "State", Of: func(a *snapshot.Attestation) []string { return []string{state(a)} }}},
		Search: func(a *snapshot.Attestation) string {
			return strings.Join([]string{string(a.ID), string(a.Device), string(a.Engagement), a.Image256, a.Key256, a.Builder}, " ")
		},
		Sort:  "-at",
		Empty: empty{Title: "No workload is attested", Text: "An engagement can demand that the vendor's pinned key signed the image that a machine runs, or its provenance. What was verified is listed here. It shows what was built; that the machine runs it is its owner's word."}})}, nil
}

func demandWord(k snapshot.DemandKind) string {
	switch k {
	case snapshot.DemandImage:
		return "signature over the image"
	case snapshot.DemandSLSA:
		return "SLSA provenance"
	}
	return words(k)
}

// connectorsPage is every system that speaks to us.
type connectorsPage struct {
	Tabs []tab
	List list
}

var connectorKinds = map[snapshot.ConnectorKind]string{snapshot.OIDCProvider: "Identity provider (OpenID Connect)", snapshot.SCIMClient: "Directory (SCIM)", snapshot.SSFSender: "Security events (SSF, CAEP)",
	snapshot.FleetManager: "Fleet manager", snapshot.KeyServer: "Key server (JWKS)", snapshot.UDAPClients: "Registers programs (UDAP)", snapshot.AlertSender: "Reports incidents", snapshot.LMS: "Learning management (xAPI)"}

func (s *server) connectors(v *visit) (connectorsPage, error) {
	f := s.frame(v)
	state := func(c *snapshot.Connector) string {
		if c.State == snapshot.Approved && holdOn(v.View, snapshot.NounConnector, string(c.ID)) != nil {
			return "held"
		}
		return string(c.State)
	}
	return connectorsPage{machineTabs("Connectors"), listOf(v, listing[*snapshot.Connector]{Caption: "Connectors", Rows: values(v.View.Connectors.All()),
		Columns: []column[*snapshot.Connector]{
			{Key: "id", Label: "Connector", Cell: func(c *snapshot.Connector) cell { return cell{Text: string(c.ID), Help: c.Name} }},
			{Key: "of", Label: "Of", Cell: func(c *snapshot.Connector) cell {
				if c.Vendor == "" {
					return text(s.Organisation)
				}
				r := f.Ref(c.Vendor)
				return cell{Text: r.Label, Href: r.Href}
			}},
			{Key: "kind", Label: "What it does", Cell: func(c *snapshot.Connector) cell { return text(connectorKinds[c.Kind]) }},
			{Key: "issuer", Label: "Who it is", Cell: func(c *snapshot.Connector) cell { return text(c.Issuer) }},
			{Key: "trust", Label: "Known by", Cell: func(c *snapshot.Connector) cell { return text(connectorTrust(c)) }},
			{Key: "state", Label: "State", Cell: func(c *snapshot.Connector) cell { return marked(state(c)) }},
			{Key: "act", Label: "Act", Fixed: true, Cell: func(c *snapshot.Connector) cell { return connectorAct(f, c) }},
		},
		Filters: []filter[*snapshot.Connector]{
			{Key: "kind", Label: "Kind", Of: func(c *snapshot.Connector) []string { return []string{string(c.Kind)} }},
			{Key: "state", Label: "State", Of: func(c *snapshot.Connector) []string { return []string{state(c)} }},
		},
		Search: func(c *snapshot.Connector) string {
			return strings.Join([]string{string(c.ID), c.Name, string(c.Vendor), c.Issuer}, " ")
		},
		Empty: empty{Title: "No connector", Text: "A connector is a system of a vendor that speaks to us: their sign-in, their directory of people, their fleet manager. What it says counts for its own vendor alone. Register one, and another person approves it.", Act: f.May("connector.register").As("Register a connector")}})}, nil
}

func connectorTrust(c *snapshot.Connector) string {
	var out []string
	if len(c.Keys) > 0 {
		out = append(out, "pinned keys")
	}
	if c.Token256 != "" {
		out = append(out, "a token that only it has")
	}
	if len(c.Pins) > 0 {
		out = append(out, "pinned certificate")
	}
	if c.Anchors != "" {
		out = append(out, "its own authority")
	}
	if len(out) == 0 {
		out = append(out, "keys at its address")
	}
	return strings.Join(out, ", ")
}

func connectorAct(f Frame, c *snapshot.Connector) cell {
	kind, label := "", ""
	switch c.State {
	case snapshot.Proposed:
		kind, label = "connector.approve", "Approve"
	case snapshot.Approved, snapshot.Suspended:
		kind, label = "connector.revoke", "Revoke"
	default:
		return cell{}
	}
	if a := f.May(kind, "id", c.ID); a != nil {
		return cell{Text: label, Href: a.Href}
	}
	return cell{}
}
