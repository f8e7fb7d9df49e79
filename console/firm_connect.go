package console

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

func firmConnectScreens() []screen {
	return []screen{on("firm_connect", "How to connect", "GET "+firmPath+"/connect", theirs, (*server).firmConnect)}
}

// firmConnect is what a program needs to get data, exactly, for one grant.
type firmConnect struct {
	Grants  []askChoice
	Grant   *snapshot.Grant
	App     *snapshot.App
	Gateway string
	Source  id.Source
	Base    string // of FHIR
	Ask     string // the first question, below Base
	Files   []firmFile
	Snippet *firmSnippet
	Tabs    []firmTab
	Door    firmDoor
	Devices []firmMachine
	Apps    []firmProgram
	Enroll  string
	Why     string // there are no snippets: why
	Note    string // about those that there are not
}

type firmFile struct{ Name, What string }

// firmSnippet is a text to copy.
type firmSnippet struct {
	Key, Title, Needs, File, Text string
}

// firmMachine is a machine of the firm, how it stands and what comes next.
type firmMachine struct {
	*snapshot.Device
	Owner string
	Mark  mark
	Next  string
	Kept  string // posture
	Bad   []string
}

// firmProgram is a program of the firm, how it stands and what comes next.
type firmProgram struct {
	*snapshot.App
	Owner string
	Mark  mark
	How   string
	Next  string
}

func (s *server) firmConnect(v *visit) (firmConnect, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmConnect{}, err
	}
	out := firmConnect{Gateway: s.Gateway}
	want := id.Grant(v.URL.Query().Get("grant"))
	for _, g := range f.grants(v.Person.ID) {
		if g.State == snapshot.Ended || !v.Now.Before(g.EndsAt) {
			continue
		}
		if want == g.ID || want == "" && (out.Grant == nil || out.Door.State != "open" && f.door(g).State == "open") {
			out.Grant, out.Door = g, f.door(g) // the first that works
		}
		out.Grants = append(out.Grants, askChoice{string(g.ID), string(g.ID) + ", " + string(g.App), false})
	}
	if want != "" && out.Grant == nil {
		return firmConnect{}, notFound()
	}
	for i := range out.Grants {
		out.Grants[i].Chosen = out.Grant != nil && out.Grants[i].Value == string(out.Grant.ID)
	}
	for _, d := range f.devices() {
		if d.State != snapshot.Ended {
			out.Devices = append(out.Devices, f.machine(d))
		}
	}
	for _, a := range f.apps() {
		if a.State != snapshot.Ended {
			out.Apps = append(out.Apps, f.program(a))
		}
	}
	out.Enroll = "sallyport agent enroll --server " + shellWord(s.Gateway) + " --region " + shellWord(cmp.Or(v.Person.Region, "US")) + " --dir ./sallyport-keys"
	if out.Grant == nil {
		out.Why = "You have no grant yet, so there is nothing to connect to. Ask for access first; what is shown here then is made for your own program and machine."
		return out, nil
	}
	f.snippets(&out)
	return out, nil
}

// snippets are made for the grant's own program, machine and source.
func (f firm) snippets(out *firmConnect) {
	v := f.v.View
	app, ok := v.Apps.Get(out.Grant.App)
	work, known := v.Engagements.Get(out.Grant.Engagement)
	if !ok || !known || len(work.Sources) == 0 {
		out.Why = "The program or the source of this grant is not registered. Ask the organisation."
		return
	}
	out.App, out.Source = app, work.Sources[0]
	out.Base = out.Gateway + "/fhir/" + string(out.Source)
	out.Ask = firmFirstQuestion(v, out.Grant)
	x := snippet{Gateway: out.Gateway, Base: out.Base, Ask: out.Ask, App: string(app.ID), Grant: string(out.Grant.ID), People: f.v.s.People,
		Region: cmp.Or(f.v.Person.Region, "US")}
	x.Device = "the machine"
	if len(out.Grant.Devices) > 0 {
		x.Device = string(out.Grant.Devices[0])
	}
	out.Files = []firmFile{{"device.crt, device.key", "the certificate of " + x.Device + " and its key"}, {"ca.crt", "the authority that vouches for the gateway; it came with the certificate"}}
	x.DPoP = app.TokenBinding == snapshot.BoundToKey || app.TokenBinding == snapshot.BoundToBoth
	x.Sealed = work.Sealing == snapshot.SealAge
	switch {
	case work.Sealing == "":
	case x.Sealed:
		out.Files = append(out.Files, firmFile{"seal.key", "the age identity that opens what is sealed to " + x.Device + "; its public half is on record"})
	case x.DPoP:
		out.Why = "This program has to sign each request with a key of its own (DPoP, RFC 9449), and its answers are sealed by HPKE (RFC 9180), which no common tool opens. Use a client library for the first and sallyport unseal for the second; what they need to know is below."
		return
	default: // no common tool opens it
		out.choose(f.v, x.agent())
		return
	}
	if x.DPoP {
		out.Note = noCurl
	}
	if app.Public {
		if len(app.Redirects) == 0 {
			out.Why = "The program has no address to which a person is sent back. Ask the organisation to register one."
			return
		}
		x.Redirect = app.Redirects[0]
		x.Scope = "user/*.rs"
		out.choose(f.v, x.forPeople())
		return
	}
	x.KeyID, x.Alg = firmFirstKey(app.Keys)
	if x.Alg == "" {
		out.Why = "The program's keys are not on record yet. Register them, or use the agent."
		out.choose(f.v, x.agent())
		return
	}
	out.Files = append(out.Files, firmFile{"app.key", "the program's own key (" + x.Alg + "), whose public half is registered"})
	x.Scope = "system/*.rs"
	out.choose(f.v, x.forPrograms())
}

// choose shows the text that the address wants, or the first.
func (c *firmConnect) choose(v *visit, all []firmSnippet) {
	at := max(slices.IndexFunc(all, func(x firmSnippet) bool { return x.Key == v.URL.Query().Get("with") }), 0)
	c.Snippet = &all[at]
	for i, x := range all {
		c.Tabs = append(c.Tabs, firmTab{x.Title, firmPath + "/connect?" + firmQuery("grant", string(c.Grant.ID), "with", x.Key), i == at})
	}
}

// firmFirstQuestion is a small search that the role allows.
func firmFirstQuestion(v *snapshot.View, g *snapshot.Grant) string {
	r, ok := v.Roles.Get(g.Role)
	if !ok {
		return "/Patient?_count=1"
	}
	best := ""
	for typ, scope := range r.Resources {
		if slices.Contains(scope.Interactions, "search-type") && (typ == "Patient" || best == "" || best != "Patient" && typ < best) {
			best = typ
		}
	}
	return "/" + cmp.Or(best, "Patient") + "?_count=1"
}

// firmFirstKey is the id of a program's first key and the algorithm by which it signs.
func firmFirstKey(jwks json.RawMessage) (kid, alg string) {
	var set struct {
		Keys []struct {
			KID   string `json:"kid"`
			Alg   string `json:"alg"`
			Kty   string `json:"kty"`
			Curve string `json:"crv"`
		} `json:"keys"`
	}
	if json.Unmarshal(jwks, &set) != nil || len(set.Keys) == 0 {
		return "", ""
	}
	k := set.Keys[0]
	switch {
	case k.Kty == "EC" && k.Curve == "P-384":
		alg = "ES384"
	case k.Kty == "EC" && k.Curve == "P-256":
		alg = "ES256"
	case k.Kty == "RSA":
		alg = "RS384"
	}
	return k.KID, alg
}

// machine says how a machine stands.
func (f firm) machine(d *snapshot.Device) firmMachine {
	v, now := f.v.View, f.v.Now
	out := firmMachine{Device: d, Owner: f.name(d.Owner), Mark: stateOf(string(d.State))}
	switch {
	case d.State == snapshot.Invited:
		out.Next = "Type the code of the invitation into sallyport agent enroll, on the machine."
		return out
	case d.State == snapshot.Proposed:
		out.Next = "Another person approves it. sallyport agent status says when."
		return out
	case d.State != snapshot.Approved:
		out.Next = "Ask the organisation."
		return out
	case !now.Before(d.TrustedUntil):
		out.Mark, out.Next = mark{"Expired", "bad"}, "Its approval is over. Ask the organisation to approve it again."
		return out
	}
	out.Next = "Nothing to do: it is trusted until " + day(d.TrustedUntil) + "."
	p, ok := v.Postures.Get(d.ID)
	switch {
	case !ok:
		out.Kept = "It has not said how it is kept. A machine that a person uses has to: sallyport agent report."
		return out
	case !now.Before(p.ReportedAt.Add(v.Settings.PostureFreshness)):
		out.Kept = "Its last report is of " + when(p.ReportedAt) + ", which is too old. Run sallyport agent connect, or sallyport agent report."
	default:
		out.Kept = "It reported " + ago(now, p.ReportedAt) + "."
	}
	checks := map[string]snapshot.Check{"disk_encryption": p.DiskEncryption, "screen_lock": p.ScreenLock, "firewall": p.Firewall, "malware_protection": p.MalwareProtection, "hardware_key": p.HardwareKey}
	for _, name := range snapshot.PostureChecks {
		if slices.Contains(v.Settings.Posture.Waived, name) {
			continue
		}
		if name == "update_age_days" && !v.Settings.Posture.Updated(p.UpdateAge) {
			out.Bad = append(out.Bad, "updates are too old")
		} else if got, has := checks[name]; has && got != snapshot.CheckPass {
			out.Bad = append(out.Bad, strings.ToLower(words(name)))
		}
	}
	return out
}

// program says how a program stands.
func (f firm) program(a *snapshot.App) firmProgram {
	out := firmProgram{App: a, Owner: f.name(a.Owner), Mark: stateOf(string(a.State)), How: "by its own key (private_key_jwt), over mutual TLS"}
	switch {
	case a.Public:
		out.How = "for a person who signs in (SMART launch, PKCE), over mutual TLS"
	case a.TokenBinding == snapshot.BoundToKey, a.TokenBinding == snapshot.BoundToBoth:
		out.How += ", with a DPoP proof for each request"
	}
	switch {
	case a.State == snapshot.Proposed:
		out.Next = "Another person of the organisation compares the keys with you and approves it."
	case len(a.PendingKeys) > 0:
		out.Next = "New keys wait for approval; they sign nothing until then."
	case a.State == snapshot.Approved:
		out.Next = "Nothing to do: it may ask for tokens."
	default:
		out.Next = "Ask the organisation."
	}
	return out
}
