package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// page is what a template gets: the frame around it, and its data.
type page[T any] struct {
	Frame
	Data T
}

// Frame is what the layout needs of every page, and what every template may ask.
type Frame struct {
	Title        string
	Organisation string
	Person       *snapshot.Person
	Ours         bool
	Firm         string // the vendor's name, for a vendor's person
	Nav          []section
	Crumbs       []crumb
	Path         string // of the page with its query, for forms that come back to it
	Theme        string // "light", "dark" or "": as the device has it
	Themes       []option
	Now          time.Time
	Zone         string
	Version      uint64 // of the registry
	Idle         int    // seconds without use after which the page locks itself
	Done         string // what was just done, to be told
	Undo         string // where that is taken back; empty: it cannot be
	v            *visit
}

// Above is the page right above this one, which tells pages of one title apart in the
// browser's tabs and history.
func (f Frame) Above() string {
	if len(f.Crumbs) == 0 {
		return ""
	}
	return f.Crumbs[len(f.Crumbs)-1].Label
}

// frame is the frame of a visit.
func (s *server) frame(v *visit) Frame {
	f := Frame{Title: v.title, Organisation: s.Organisation, Person: v.Person, Ours: v.ours(), Nav: navigation(v), Crumbs: v.crumbs,
		Path: pathOf(v.URL), Now: v.Now, Zone: v.View.Settings.TimeZone, Version: v.View.Version(), Idle: int(v.View.Settings.SessionIdle.Seconds()), v: v}
	if x, ok := v.View.Vendors.Get(v.Person.Vendor); ok {
		f.Firm = x.Name
	}
	f.Theme = signin.Theme(v.Request)
	for _, x := range []option{{Value: "light", Label: "Light"}, {Value: "dark", Label: "Dark"}, {Value: "", Label: "As the device"}} {
		x.Chosen = x.Value == f.Theme
		f.Themes = append(f.Themes, x)
	}
	if v.Method == http.MethodGet {
		f.Done, f.Undo = told(v)
	}
	return f
}

// pathOf is the page's address, without what it told once.
func pathOf(u *url.URL) string {
	q := u.Query()
	if !q.Has("done") {
		return u.RequestURI()
	}
	q.Del("done")
	if len(q) == 0 {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + q.Encode()
}

// actLink is a way to an act.
type actLink struct {
	Href  string
	Label string
	Step  bool // a passkey must be touched
	Stops bool // something ends by it
}

// As is the same way under a shorter name, where the page says what it is about.
func (a *actLink) As(label string) *actLink {
	if a == nil {
		return nil
	}
	b := *a
	b.Label = label
	return &b
}

// stopping are the verbs by which something ends.
var stopping = []string{"revoke", "kill", "end", "terminate", "retire", "suspend", "place", "deactivate", "reject", "refuse", "request-destruction", "approve-destruction"}

// May is the way to an act, where the visitor's duties admit it, with fields filled in:
// pairs of a field and its value. Whether it may be done now, the act itself says.
// Nil: it is not for them.
func (f Frame) May(kind string, pairs ...any) *actLink {
	spec, ok := registry.Lookup(registry.Kind(kind))
	// An auditor reads; what is about themselves, their account's own pages do.
	if !ok || !spec.Routed() || slices.Contains(f.Person.Duties, string(registry.Auditor)) {
		return nil
	}
	may := slices.ContainsFunc(spec.Duties, func(d registry.Duty) bool { return slices.Contains(f.Person.Duties, string(d)) })
	may = may && f.Ours || f.Ours && slices.Contains(spec.Admits, registry.OwnPeople) || !f.Ours && slices.Contains(spec.Admits, registry.VendorPeople) || slices.Contains(spec.Admits, registry.Self)
	if !may {
		return nil
	}
	return &actLink{Href: actPath(spec.Name, f.Path, pairs...), Label: summaryFor(f.Ours, spec), Step: spec.StepUp(), Stops: slices.Contains(stopping, spec.Verb)}
}

// actPath is the address of an act's form, with fields filled in, coming back to next.
func actPath(kind registry.Kind, next string, pairs ...any) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Add(fmt.Sprint(pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	if next != "" {
		q.Set("next", next)
	}
	return "/console/do/" + string(kind) + "?" + q.Encode()
}

// functions are what templates may call.
func functions() template.FuncMap {
	return template.FuncMap{
		"when": when, "day": day, "sentence": sentence, "plural": plural, "bytes": anyBytes, "number": anyNumber, "state": stateOf, "ref": refTo,
		"cite": cite, "askedfor": askedFor, "rightsto": rightsTo, "dict": dict, "join": strings.Join, "words": words, "short": short, "iso": iso, "ago": ago, "span": span, "wordfor": wordFor, "css": func() string { return assetVersion },
	}
}

// when is a time to the minute.
func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2 Jan 2006, 15:04 UTC")
}

// day is a date.
func day(t time.Time) string {
	if t.IsZero() {
		return "no date"
	}
	return t.UTC().Format("2 Jan 2006")
}

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ago is a time in words from now, before or after it: "in 3 days", "2 hours ago".
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := t.Sub(now)
	before := d < 0
	if before {
		d = -d
	}
	var text string
	switch {
	case d < time.Minute:
		return "just now"
	case d < 2*time.Hour:
		text = plural(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		text = plural(int(d.Hours()), "hour")
	case d < 90*24*time.Hour:
		text = plural(int(d.Hours()/24), "day")
	default:
		text = plural(int(d.Hours()/24/30), "month")
	}
	if before {
		return text + " ago"
	}
	return "in " + text
}

// span is a length of time in words, to its largest unit: "30 minutes", "8 hours".
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return plural(int(d.Seconds()), "second")
	case d < 2*time.Hour:
		return plural(int(d.Minutes()), "minute")
	case d < 72*time.Hour:
		return plural(int(d.Hours()), "hour")
	}
	return plural(int(d.Hours()/24), "day")
}

// plural is "1 day", "2 days".
func plural(n int, one string) string {
	switch {
	case n == 1:
		return "1 " + one
	case strings.HasSuffix(one, "y") && !strings.HasSuffix(one, "ay") && !strings.HasSuffix(one, "ey"):
		return number(n) + " " + strings.TrimSuffix(one, "y") + "ies"
	}
	return number(n) + " " + one + "s"
}

// number has its thousands apart.
func number[N int | int64 | uint64](n N) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// humanBytes is an amount of data.
func humanBytes[N int | int64 | uint64](n N) string {
	x := float64(n)
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if x < 1000 {
			if unit == "B" {
				return fmt.Sprintf("%.0f %s", x, unit)
			}
			return fmt.Sprintf("%.1f %s", x, unit)
		}
		x /= 1000
	}
	return fmt.Sprintf("%.1f TB", x)
}

// anyNumber and anyBytes are number and humanBytes for templates, of any whole number.
func anyNumber(x any) string { return number(whole(x)) }
func anyBytes(x any) string  { return humanBytes(whole(x)) }

func whole(x any) int64 {
	switch n := reflect.Indirect(reflect.ValueOf(x)); {
	case n.CanInt():
		return n.Int()
	case n.CanUint():
		return int64(n.Uint())
	}
	return 0
}

// spaced parts the words of a name.
var spaced = strings.NewReplacer("-", " ", "_", " ")

// saidOtherwise are names whose parts alone do not make the word that people know.
var saidOtherwise = map[string]string{"": "", "phi": "PHI", "baa": "BAA", "ehr": "EHR", "tls": "TLS", "id": "ID", "lms": "Learning system", "mtls": "Mutual TLS",
	"de identified": "De-identified", "deidentification": "De-identification", "no reidentification": "No re-identification", "return destroy": "Return or destruction",
	"accounting support": "Support with accountings", "hhs books": "Books open to HHS"}

// words makes a name of the code readable: "in_force" is "In force".
func words(x any) string {
	text := spaced.Replace(fmt.Sprint(x))
	if said, ok := saidOtherwise[text]; ok {
		return said
	}
	if rest, ok := strings.CutSuffix(text, " baa"); ok {
		text = rest + " BAA"
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// short is the beginning of a digest.
func short(digest string) string {
	if len(digest) <= 12 {
		return digest
	}
	return digest[:12] + "…"
}

// sentence ends what a problem says as a sentence ends, without the names of commands.
func sentence(text string) string {
	text = plain(text)
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// dict is a map for templates that take several values.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict wants pairs")
	}
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		out[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return out, nil
}

// citation is a rule as a page shows it: its text, and how far it was checked.
type citation struct {
	Text, Verified string
	Href           string // where the console tells more of it
}

var verifiedWords = map[hipaa.Verified]string{hipaa.RegText: "checked against the regulation's text", hipaa.StatuteText: "checked against the statute's text",
	hipaa.Secondary: "checked in a secondary source", hipaa.Recall: "from general knowledge, not checked", hipaa.PolicyOnly: "no law sets it"}

// cite shows a rule. It takes a hipaa.Citation.
func cite(c hipaa.Citation) citation {
	out := citation{Text: c.Text, Verified: verifiedWords[c.Verified]}
	if out.Verified == "" {
		out.Verified = words(string(c.Verified))
	}
	if c.Text == hipaa.Policy.Text {
		out.Text = "Policy:"
	} else {
		out.Href = "/console/evidence?" + url.Values{"citation": {c.Text}}.Encode()
	}
	return out
}

// local is where a visitor wanted to go, if that is a page here.
func local(next, otherwise string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next+u.Path, "\\\r\n\t") || len(next) > 4<<10 {
		return otherwise
	}
	return next
}

// parse reads every template with the layout and the shared parts.
func parse(all []screen) (map[string]*template.Template, error) {
	shared, err := fs.Glob(files, "screens/parts/*.html")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	base, err := template.New("layout.html").Funcs(functions()).ParseFS(files, append([]string{"screens/layout.html"}, shared...)...)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	out := map[string]*template.Template{}
	for _, name := range append([]string{"failure"}, names(all)...) {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(files, "screens/"+name+".html")
		}
		if err != nil {
			return nil, fmt.Errorf("console: %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}

func names(all []screen) []string {
	var out []string
	for _, x := range all {
		if x.Name != "" && !slices.Contains(out, x.Name) {
			out = append(out, x.Name)
		}
	}
	return out
}

// write sends a page, whole or not at all.
func (s *server) write(v *visit, name string, data any) {
	t, ok := s.templates[name]
	var out bytes.Buffer
	err := fmt.Errorf("no template %q", name)
	if ok {
		err = t.Execute(&out, data)
	}
	if err != nil {
		s.Logger.ErrorContext(v.Context(), "a screen cannot be written", "screen", name, "err", err)
		http.Error(v.w, "Something went wrong here. Try again.", http.StatusInternalServerError)
		return
	}
	h := v.w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(v.status)
	_, _ = v.w.Write(out.Bytes()) // the browser has gone: nothing to do
}

// contentPolicy is the door's, and lets our script hear what is new.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// assetVersion is in the address of script and style, so that a browser may keep them
// until the next version of the program.
var assetVersion = func() string {
	h := sha256.New()
	_ = fs.WalkDir(files, "assets", func(path string, d fs.DirEntry, err error) error { // an embedded file system does not fail
		if err == nil && !d.IsDir() {
			raw, _ := files.ReadFile(path)
			h.Write(raw)
		}
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:12]
}()

// stylesheet is the base, what the parts add to it, and what paper takes from both.
func stylesheet() ([]byte, error) {
	out, err := files.ReadFile("assets/console.css")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	parts, err := fs.Glob(files, "assets/parts/*.css")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	slices.Sort(parts)
	for _, name := range append(parts, "assets/print.css") {
		raw, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
		out = append(append(out, '\n'), raw...)
	}
	return out, nil
}
