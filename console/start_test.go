package console_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// From an empty registry to the first lawful release: two people, each with a browser and
// a passkey, who follow the page First steps. Only the passkeys need the browser's script;
// the forms are read and sent as a browser without script does. The vendor's machine and
// program make their keys by the documented commands.
func TestFirstStepsToTheFirstRelease(t *testing.T) {
	t.Parallel()
	b := hospitaltest.Start(t, hospitaltest.Options{People: true})
	w := &world{t, b}
	_, code := b.FirstRun()
	ada := newcomer(w, code)
	ada.b.Picture("start", 1280, false)
	ada.b.Picture("start-phone", 320, true)
	ada.follows("person.propose", "id", "grace", "name", "Grace Example")
	ada.get("/console").wants(http.StatusOK, "leads from here to the first lawful release")
	ada.follows("person.invite")
	_, rest, _ := strings.Cut(ada.body, `<p class="do-once"><code>`)
	code, _, _ = strings.Cut(rest, "<")
	grace := newcomer(w, code, func() {
		// The fingerprint to compare is there where one admits, and the person's page leads to the act that counts.
		ada.get("/console/start").wants(http.StatusOK, "Compare first, in person")
		ada.get("/console/people/grace")
		ada.link("/console/do/organisation.second-person?")
		ada.follows("organisation.second-person")
	})
	grace.follows("person.amend-duties")
	ada.follows("vendor.propose", "id", "northwind", "name", "Northwind AI, Inc.")
	grace.follows("vendor.screen", "ownership", "no", "access", "no")
	grace.follows("assessment.record", "verdict", "pass")
	grace.follows("vendor.approve")

	ada.get("/console/start").get(ada.link("/console/agreements/compose"))
	ada.sends("preview", "id", "northwind-baa", "permitted_uses.0.clause", "2.1", "reason", "our own wording").wants(http.StatusOK, "The wording", "usiness associate agreement")
	ada.sends("do").wants(http.StatusOK, "northwind-baa", "the signature of the organisation and of the vendor")
	ada.follows("agreement.sign", "signer", "A. Example, CEO")
	ada.follows("agreement.sign", "signer", "N. Wind, CEO")
	ada.follows("engagement.propose", "id", "triage-eval") // for what the paper permits
	ada.get("/console/do/engagement.amend?id=triage-eval").wants(http.StatusOK)
	ada.sends("preview", "purpose", "inference", "reason", "not what the paper permits")
	ada.sends("do").wants(http.StatusOK)
	grace.get("/console/start").wants(http.StatusOK, "permits inference")
	ada.get("/console/do/engagement.amend?id=triage-eval").wants(http.StatusOK)
	ada.sends("preview", "purpose", "evaluation", "reason", "what the paper permits")
	ada.sends("do").wants(http.StatusOK)
	if grace.get("/console/start"); strings.Contains(grace.body, "Look first") {
		t.Error("work within the paper is warned of")
	}
	grace.follows("agreement.approve")
	grace.follows("engagement.approve")

	ada.follows("person.propose", "id", "lin", "name", "Lin Example")
	grace.follows("person.approve")
	grace.follows("training.record", "score", "0.93")
	keys, err := identity.PublicKeys(b.Client.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	// An invitation names the program that the machine brings along.
	ada.get("/console/start").get(ada.link("/console/do/device.invite?")).wants(http.StatusOK, "lin-program")
	ada.get("/console/do/device.invite?vendor=northwind").wants(http.StatusOK, `id="f-app" name="app" value=""`)
	ada.follows("device.enroll", "id", string(hospitaltest.Device), "key_sha256", string(b.Client.Device.KeyDigest()), "owner", "lin")
	ada.follows("app.register", "id", string(hospitaltest.App), "name", "Triage", "owner", "lin", "keys", string(keys))
	grace.follows("device.approve")
	grace.follows("app.approve")
	ada.follows("role.define", "id", "triage-reader", "title", "Triage reader")
	grace.follows("role.approve")
	ada.follows("grant.request", "id", "triage-grant")
	grace.get("/console/start").wants(http.StatusOK, "would refuse")
	grace.follows("grant.approve")
	grace.get("/console/start").wants(http.StatusOK, "A question as the role allows would be answered.")

	if got := b.Get("/Patient?_count=1"); got.Status != http.StatusOK {
		t.Fatalf("the first question: %s", got)
	}
	ada.await("/console/start", "All is done.")
	ada.b.Open(b.Pages + "/console/agreements/northwind-baa")
	ada.b.Picture("paper", 1280, false)
	ada.b.Picture("paper-phone", 320, true)
	ada.b.Errors()
	grace.b.Errors()
	b.Verify()
}

// walker is a person with a browser of their own, and with one without script in which
// they are signed in, too.
type walker struct {
	*client
	b *browser.Browser
}

// newcomer makes a passkey with a code, and signs in with it; between the two something
// else may have to be done.
func newcomer(w *world, code string, between ...func()) *walker {
	w.t.Helper()
	b := browser.Start(w.t, w.b.Pages)
	b.WithAuthenticator(true)
	b.Open(w.b.Pages + "/enroll")
	b.Type("#code", code)
	b.Press("form .main")
	b.Wants("Make your passkey")
	b.Press("form .main")
	for _, f := range between {
		f()
	}
	b.Open(w.b.Pages + "/signin")
	b.Press("form[data-passkey] .main")
	return w.also(b)
}

// also is the same person, in the same session, without script.
func (w *world) also(b *browser.Browser) *walker {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	base, err := url.Parse(w.b.Pages)
	if err != nil {
		w.t.Fatal(err)
	}
	var cookies []*http.Cookie
	for _, c := range b.Cookies() {
		cookies = append(cookies, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: true})
	}
	jar.SetCookies(base, cookies)
	roots, err := identity.PoolFromFiles(w.b.Data("people", "ca.crt"))
	if err != nil {
		w.t.Fatal(err)
	}
	hc := identity.NewHTTPClient(identity.ClientTLS(nil, roots))
	hc.Jar, hc.CheckRedirect = jar, nil
	return &walker{&client{Client: hc, w: w}, b}
}

// await loads a page until it says something that comes by itself.
func (x *walker) await(path, text string) {
	x.w.t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if x.get(path); strings.Contains(x.body, text) {
			return
		}
	}
	x.wants(http.StatusOK, text)
}

// follows takes a step of First steps: its link, the form, what it changes, and does it.
func (x *walker) follows(kind string, pairs ...string) {
	x.w.t.Helper()
	x.get("/console/start").wants(http.StatusOK)
	x.get(x.link("/console/do/" + kind + "?")).wants(http.StatusOK)
	x.sends("preview", append(pairs, "reason", "as the page says")...).wants(http.StatusOK, "Nothing is done yet")
	x.sends("do").wants(http.StatusOK)
	if !strings.Contains(x.body, "Done.") && !strings.Contains(x.body, "It is done.") {
		x.w.t.Fatalf("%s is not done:\n%s", kind, x.body)
	}
}

// link is the first link of the page that begins so.
func (x *walker) link(prefix string) string {
	x.w.t.Helper()
	found := ""
	walkHTML(x.w.t, x.body, func(e xml.StartElement, _ string) {
		if e.Name.Local == "a" && found == "" && strings.HasPrefix(attr(e, "href"), prefix) {
			found = attr(e, "href")
		}
	})
	if found == "" {
		x.w.t.Fatalf("%s has no way to %s:\n%s", x.at, prefix, x.body)
	}
	return found
}

// sends sends the act's form of the page, as it stands but for what is given.
func (x *walker) sends(step string, pairs ...string) *client {
	x.w.t.Helper()
	action, form, known := actForm(x.w.t, x.body)
	said := map[string]bool{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if !known[pairs[i]] {
			x.w.t.Fatalf("%s has no field %s:\n%s", x.at, pairs[i], x.body)
		}
		if !said[pairs[i]] {
			form.Del(pairs[i])
		}
		said[pairs[i]] = true
		form.Add(pairs[i], pairs[i+1])
	}
	form.Set("step", step)
	return x.post(action, form)
}

// actForm is what a browser would send of the act's form.
func actForm(t testing.TB, body string) (action string, form url.Values, known map[string]bool) {
	t.Helper()
	form, known = url.Values{}, map[string]bool{}
	in, choice := false, ""
	walkHTML(t, body, func(e xml.StartElement, text string) {
		name := attr(e, "name")
		switch e.Name.Local {
		case "form":
			if in = strings.Contains(attr(e, "class"), "do-form"); in {
				action = attr(e, "action")
			}
		case "input":
			if !in || name == "" {
				return
			}
			known[name] = true
			kind := attr(e, "type")
			if kind != "file" && (kind != "checkbox" && kind != "radio" || has(e, "checked")) {
				form.Add(name, attr(e, "value"))
			}
		case "textarea":
			if in {
				known[name] = true
				form.Add(name, strings.TrimPrefix(text, "\n"))
			}
		case "select":
			choice = name
			if in {
				known[name] = true
			}
		case "option":
			if in && choice != "" && (has(e, "selected") || form[choice] == nil) {
				form.Set(choice, attr(e, "value"))
			}
		case "datalist":
			choice = ""
		}
	})
	if action == "" {
		t.Fatalf("there is no form of an act:\n%s", body)
	}
	return action, form, known
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func has(e xml.StartElement, name string) bool {
	return slices.ContainsFunc(e.Attr, func(a xml.Attr) bool { return a.Name.Local == name })
}

// walkHTML goes through the elements of a page of ours, each with the text that follows
// its beginning.
func walkHTML(t testing.TB, body string, f func(e xml.StartElement, text string)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var last *xml.StartElement
	text := ""
	flush := func() {
		if last != nil {
			f(*last, text)
		}
		last, text = nil, ""
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			flush()
			return
		}
		if err != nil {
			t.Fatalf("the page is not well formed: %v\n%s", err, body)
		}
		switch x := token.(type) {
		case xml.StartElement:
			flush()
			e := x.Copy()
			last = &e
		case xml.EndElement:
			flush()
		case xml.CharData:
			text += string(x)
		}
	}
}

// A form that is filled in survives the way through the passkey.
func TestWhatWasTypedSurvivesThePasskey(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.b.Act(registrytest.Ada, registry.ProposeVendor{ID: id.Vendor("fresh"), Name: "Fresh AI"})
	b := w.browser(registrytest.Grace)
	x := w.also(b)
	w.b.Advance(10 * time.Minute)
	form := "/console/do/vendor.approve?id=fresh&next=/console/start"
	x.get(form).wants(http.StatusOK, "Before this is done you are asked to touch your passkey")
	b.Open(w.b.Pages + form)
	b.Type("#f-reason", "references checked by letter")
	b.Press(".do-buttons .main")
	b.Wants("Confirm that it is you")
	b.Press("form[data-passkey] .main")
	b.Wants("Nothing is done yet", "references checked by letter", "Proposed", "Approved")
	b.Picture("do-ahead", 1280, false)
	b.Picture("do-ahead-phone", 320, true)
	b.Press(".do-buttons .main")
	b.Wants("Done.", "Take a proposed vendor on")
	b.Errors()
}
