package console_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"

	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/living"
)

// heaviest is what a page may weigh, without images, in bytes.
const heaviest = 150_000

// visitors are the kinds of people who come, and how many pages of one kind each opens:
// the first of the organisation and of a vendor look around, and the others at one of each.
var visitors = []struct {
	who  id.Person
	ours bool
	most int
}{{living.Grace, true, 3}, {living.Lin, false, 3}, {living.Sam, true, 1}, {living.Iris, true, 1}, {living.Omar, true, 1}, {living.Nora, false, 1}}

// outside are routes of the doors beside the console that its pages lead to.
var outside = []string{"POST /signout", "GET /account", "GET /step-up", "GET /passkeys/new", "GET /assets/{file}", "GET /portal", "GET /portal/", "POST /portal/",
	"POST /passkeys/remove", "POST /sessions/end", "POST /sessions/end-all", "POST /step-up", "GET /signin", "GET /enroll", "GET /{$}", "POST /account/theme", "POST /theme", "POST /enroll/passkey",
	"POST /console/theme", "GET /console/live", "GET /console/assets/{file}"}

// shown is a page that somebody was shown.
type shown struct {
	who     id.Person
	pattern string
	path    string
	body    string
}

// crawled is every page that was found, and what is wrong with them.
type crawled struct {
	pages  []shown
	faults []string
}

var walk struct {
	once sync.Once
	crawled
}

// walkAll goes through everything that can be reached, once for all tests.
func walkAll(t *testing.T) crawled {
	t.Helper()
	o := livingWorld(t)
	walk.once.Do(func() {
		routes := http.NewServeMux()
		known := map[string]bool{}
		for _, s := range console.Screens() {
			known[s.Pattern] = true
		}
		for _, p := range outside {
			known[p] = true
		}
		for p := range known {
			routes.HandleFunc(p, func(http.ResponseWriter, *http.Request) {})
		}
		for _, v := range visitors {
			secret, err := o.SignIn(t.Context(), v.who)
			if err != nil {
				t.Fatal(err)
			}
			w := crawler{o: o, routes: routes, who: v.who, secret: secret, most: v.most, hc: o.Client(), queued: map[string]bool{}, kinds: map[string]int{}, seeds: map[string]bool{}, ids: map[string]map[string]bool{}}
			w.hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			for _, look := range living.Looks {
				if look.As == v.who {
					w.want("the list of what to look at", look.Path)
				}
			}
			w.want("the first page", "/console")
			if v.ours { // what a form leads to
				w.want("the search of the record", "/console/evidence/vendors/"+string(living.Northwind))
			}
			for _, s := range console.Screens() {
				if path, ok := strings.CutPrefix(s.Pattern, "GET "); ok && !strings.Contains(path, "{") && (v.ours && s.Ours || !v.ours && s.Theirs) && path != "/console/live" {
					w.seeds[path] = true
					w.want("the list of screens", path)
				}
			}
			w.goOn(t)
			walk.pages, walk.faults = append(walk.pages, w.pages...), append(walk.faults, w.faults...)
		}
	})
	return walk.crawled
}

// crawler is one visitor's way.
type crawler struct {
	o      *living.Organisation
	routes *http.ServeMux
	who    id.Person
	secret string
	most   int
	hc     *http.Client
	todo   []string
	queued map[string]bool
	kinds  map[string]int
	seeds  map[string]bool            // what is looked at though no page led there
	ids    map[string]map[string]bool // of the pages that were opened
	marks  []crawlMark                // links into pages
	pages  []shown
	faults []string
}

// crawlMark is a link to a part of a page.
type crawlMark struct{ from, path, id string }

func (w *crawler) fault(path, format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf("%s as %s: %s", path, w.who, fmt.Sprintf(format, args...)))
}

// route is the pattern that answers, or empty.
func (w *crawler) route(method, path string) string {
	req, err := http.NewRequest(method, w.o.Pages+path, nil)
	if err != nil {
		return ""
	}
	_, pattern := w.routes.Handler(req)
	return pattern
}

// want puts an address onto the way, if it is of the people's door and there were not
// enough of its kind.
func (w *crawler) want(from, path string) {
	if path, _, _ = strings.Cut(path, "#"); w.queued[path] || strings.HasPrefix(path, "/console/live") {
		return
	}
	u, err := url.Parse(path)
	if err != nil {
		w.fault(from, "a link that is none: %q", path)
		return
	}
	kind := w.route(http.MethodGet, path)
	if kind == "" {
		w.fault(from, "a link to %s, which is no page", path)
		return
	}
	q := u.Query()
	if strings.HasPrefix(kind, "GET /portal") {
		kind += strings.Join(strings.Split(u.Path, "/")[:min(3, strings.Count(u.Path, "/")+1)], "/")
	}
	if len(q) > 0 && !strings.HasPrefix(u.Path, "/console/assets/") {
		kind += "?" + q.Get("format") + u.Query().Get("part") + fmt.Sprint(len(q))
	}
	if w.kinds[kind] >= w.most {
		return
	}
	w.kinds[kind]++
	w.queued[path] = true
	w.todo = append(w.todo, path)
}

func (w *crawler) goOn(t *testing.T) {
	for len(w.todo) > 0 {
		path := w.todo[0]
		w.todo = w.todo[1:]
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.o.Pages+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(&http.Cookie{Name: signin.CookieName, Value: w.secret})
		resp, err := w.hc.Do(req)
		if err != nil {
			t.Fatalf("%s as %s: %v", path, w.who, err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatalf("%s as %s: %v", path, w.who, err)
		}
		w.look(path, resp, string(raw))
	}
	for _, m := range w.marks {
		if ids, ok := w.ids[m.path]; ok && !ids[m.id] {
			w.fault(m.from, "a link to #%s of %s, which it has not", m.id, m.path)
		}
	}
}

// look is at one answer.
func (w *crawler) look(path string, resp *http.Response, body string) {
	for _, fault := range unguarded(path, resp.Header) {
		w.fault(path, "%s", fault)
	}
	if to := resp.Header.Get("Location"); resp.StatusCode == http.StatusSeeOther && strings.HasPrefix(to, "/") {
		w.want(path, to)
		return
	}
	if resp.StatusCode == http.StatusForbidden && w.seeds[path] {
		return // a screen for some, to which nothing led this visitor
	}
	if resp.StatusCode != http.StatusOK {
		_, told, _ := strings.Cut(body, "<main")
		w.fault(path, "%d %.500q", resp.StatusCode, told)
		return
	}
	if strings.Contains(body, "ZZCANARY") {
		w.fault(path, "it holds something of a patient")
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return
	}
	if len(body) >= heaviest {
		w.fault(path, "it weighs %d bytes", len(body))
	}
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		w.fault(path, "%v", err)
		return
	}
	w.pages = append(w.pages, shown{w.who, w.route(http.MethodGet, path), path, body})
	ids, heads, title, lang := map[string]bool{}, 0, "", ""
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		a := map[string]string{}
		for _, x := range n.Attr {
			a[x.Key] = x.Val
			if x.Key == "style" || strings.HasPrefix(x.Key, "on") {
				w.fault(path, "an inline %s in <%s>", x.Key, n.Data)
			}
		}
		if x, ok := a["id"]; ok {
			if ids[x] {
				w.fault(path, "two things are called %q", x)
			}
			ids[x] = true
		}
		switch n.Data {
		case "html":
			lang = a["lang"]
		case "title":
			if n.FirstChild != nil && (n.Parent == nil || n.Parent.Data == "head") {
				title = n.FirstChild.Data
			}
		case "h1":
			heads++
		case "style":
			w.fault(path, "an inline <style>")
		case "script":
			if a["src"] == "" {
				w.fault(path, "an inline <script>")
			}
			w.ours(path, n.Data, a["src"])
		case "img", "iframe", "source", "object":
			w.ours(path, n.Data, cmp.Or(a["src"], a["data"]))
		case "link":
			w.ours(path, n.Data, a["href"])
		case "a", "area":
			w.link(path, a["href"])
		case "form":
			w.form(path, a)
		}
	}
	w.ids[path] = ids
	if strings.TrimSpace(title) == "" || heads != 1 || lang == "" {
		w.fault(path, "title %q, %d h1, language %q", title, heads, lang)
	}
}

// ours is something that the page loads: it must be of this host.
func (w *crawler) ours(path, tag, address string) {
	if !strings.HasPrefix(address, "/") || strings.HasPrefix(address, "//") {
		w.fault(path, "<%s> loads %q", tag, address)
		return
	}
	w.want(path, address)
}

func (w *crawler) link(path, to string) {
	delete(w.seeds, to)
	base, err := url.Parse(path)
	if err != nil {
		return
	}
	u, err := base.Parse(to)
	switch {
	case err != nil || to == "":
		w.fault(path, "a link to %q", to)
	case u.Host != "" || u.Scheme != "":
		if u.Scheme != "https" && u.Scheme != "mailto" && u.Scheme != "tel" {
			w.fault(path, "a link to %q", to)
		}
	default:
		if u.Fragment != "" {
			w.marks = append(w.marks, crawlMark{path, u.RequestURI(), u.Fragment})
		}
		w.want(path, u.RequestURI())
	}
}

func (w *crawler) form(path string, a map[string]string) {
	method := strings.ToUpper(cmp.Or(a["method"], "get"))
	base, err := url.Parse(path)
	if err != nil {
		return
	}
	u, err := base.Parse(a["action"])
	if err != nil || u.Host != "" || w.route(method, u.Path) == "" || !strings.HasPrefix(w.route(method, u.Path), method) {
		w.fault(path, "a form to %s %q, which is no route", method, a["action"])
	}
	if method == http.MethodGet && u != nil {
		w.want(path, u.Path)
	}
}

// Everything that a page leads to is there, and every page is as pages must be: see
// crawler.look. Each kind of visitor goes their own way.
func TestCrawl(t *testing.T) {
	all := walkAll(t)
	slices.Sort(all.faults)
	for i, f := range slices.Compact(all.faults) {
		if i == 60 {
			t.Errorf("and %d more", len(all.faults)-i)
			break
		}
		t.Error(f)
	}
	seen := map[string]bool{}
	for _, p := range all.pages {
		seen[p.pattern] = true
	}
	for _, s := range console.Screens() {
		if strings.HasPrefix(s.Pattern, "GET ") && s.Name != "" && !seen[s.Pattern] {
			t.Errorf("nothing leads to %s, or the living organisation has none", s.Pattern)
		}
	}
	t.Logf("%d pages of %d patterns", len(all.pages), len(seen))
}

// Each kind of page is valid HTML.
func TestValidHTML(t *testing.T) {
	pages, count := map[string]string{}, map[string]int{}
	for _, p := range walkAll(t).pages {
		kind := p.pattern
		if count[kind]++; count[kind] <= 2 {
			pages[string(p.who)+" "+p.path] = p.body
		}
	}
	faults := browser.Validate(t, pages)
	for i, f := range faults {
		if i == 40 {
			t.Errorf("and %d more", len(faults)-i)
			break
		}
		t.Error(f)
	}
}
