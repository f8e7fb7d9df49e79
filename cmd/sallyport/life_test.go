package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/notify/notifytest"
)

// TestTheLifeOfAVendor tells two years with a vendor, from the first question to the
// certificate of destruction, on each database: see testdata/life.txtar, where some
// commands are ours beside those of TestScript.
//
//	ada ARGS, grace ARGS, carol ARGS   sallyport ARGS with the certificate of that person
//	flows [WANT]                       the vendor asks for patients and is given some
//	stops GATE[,GATE...] [WHY]         it is refused, and the decision failed these gates alone
//	shut                               it does not even get a token
//	keep NAME EXPRESSION               what the last output held there is $NAME from now on
//	mailed TO WANT                     a mail arrived at the mail server, at $MAIL
//	calm [EXCEPT]                      what ended last warned of nothing else, and of no error
//	browse CODE-FILE                   the vendor's contact opens a link in a browser
//	browse get|post PATH [K=V...]      and goes on there; NOW is a form's date and time. What
//	                                   came is in page.html, the end of its address in $PAGE
//	browse answer QUESTIONNAIRE CSV    and answers questions, each by its form
//
// $DATABASE is where the registry is, and $DAY25 the date 25 days after the first.
func TestTheLifeOfAVendor(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(*testing.T) string{"sqlite": func(*testing.T) string { return "" }, "postgres": schema} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			where := database(t)
			p := stage(t)
			p.Files = []string{"testdata/life.txtar"}
			common := p.Setup
			p.Setup = func(e *testscript.Env) error {
				if err := common(e); err != nil {
					return err
				}
				// It begins at noon: dates in files are counted in days from the first, and
				// no midnight may pass while a day of the story is played.
				file := filepath.Join(e.WorkDir, ".clock")
				begun := time.Now().UTC()
				noon := begun.Add(12 * time.Hour).Truncate(24 * time.Hour).Add(12 * time.Hour)
				if err := os.WriteFile(file, []byte(noon.Sub(begun).String()), 0o600); err != nil {
					return err
				}
				now := clockOf(file)
				post, err := notifytest.Start(filepath.Join(e.WorkDir, ".outside"))
				if err != nil {
					return err
				}
				e.Defer(post.Close)
				for _, n := range []int{0, 25, 45, 200, 592} { // dates in files, from the first day on
					e.Setenv(fmt.Sprintf("DAY%d", n), noon.AddDate(0, 0, n).Format(time.DateOnly))
				}
				e.Setenv("DATABASE", where)
				e.Setenv("MAIL", post.Mail)
				e.Setenv("MAIL_CA", post.CAFile)
				e.Values[outsideKey{}] = &outside{post: post, now: now}
				return nil
			}
			for _, name := range []string{"ada", "grace", "carol"} {
				p.Cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) {
					ts.Setenv("SALLYPORT_CERT", ts.MkAbs("box/data/people/"+name+".crt"))
					program(ts, neg, args...)
				}
			}
			p.Cmds["flows"], p.Cmds["stops"], p.Cmds["shut"] = flows, stops, shut
			p.Cmds["keep"], p.Cmds["mailed"], p.Cmds["browse"] = keep, mailed, browse
			p.Cmds["calm"] = calm
			play(t, p)
		})
	}
}

// schema is an empty one in the database that SALLYPORT_TEST_POSTGRES names.
func schema(t *testing.T) string {
	where := need.Postgres(t)
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", where)
	if err != nil {
		t.Fatal(err)
	}
	name := "t" + strings.ToLower(string(id.New[id.Act](time.Now())))
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "DROP SCHEMA "+name+" CASCADE"); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

type outsideKey struct{}

// outside is what is around the programs of a script: the mail server, and the browser
// of the vendor's contact.
type outside struct {
	post    *notifytest.Outside
	now     clock
	browser *http.Client
}

// program runs sallyport, and wants it to succeed or, with neg, to fail in its own words.
func program(ts *testscript.TestScript, neg bool, args ...string) {
	err := ts.Exec("sallyport", args...)
	switch {
	case err != nil && !neg:
		ts.Fatalf("sallyport %s: %v", strings.Join(args, " "), err)
	case err == nil && neg:
		ts.Fatalf("sallyport %s: succeeded", strings.Join(args, " "))
	case strings.Contains(ts.ReadFile("stderr"), "goroutine "):
		ts.Fatalf("sallyport %s: it fell over", strings.Join(args, " "))
	}
}

// asked is the request that the vendor's program makes again and again.
func asked(ts *testscript.TestScript) []string {
	return []string{"ask", "https://localhost:" + ts.Getenv("PORT") + "/fhir/ehr/Patient?_count=1", "--app", "triage", "--keys", "northwind"}
}

func flows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: flows [WANT]")
	}
	program(ts, false, asked(ts)...)
	for _, want := range append(args, `"resourceType":"Patient"`, "SUBSETTED") {
		if !strings.Contains(ts.ReadFile("stdout"), want) {
			ts.Fatalf("the answer does not hold %q", want)
		}
	}
}

var (
	decided = regexp.MustCompile(`Decision: ([0-9A-Z]{26})`)
	failed  = regexp.MustCompile(`(?m)^  FAIL  (\S+)`)
)

func stops(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: stops GATE[,GATE...] [WHY]")
	}
	program(ts, true, asked(ts)...)
	refusal := ts.ReadFile("stderr")
	m := decided.FindStringSubmatch(refusal)
	if m == nil {
		ts.Fatalf("no decision refused it: %s", refusal)
	}
	ts.Setenv("SALLYPORT_CERT", ts.MkAbs("box/data/people/ada.crt"))
	program(ts, false, "explain", m[1])
	told := ts.ReadFile("stdout")
	var gates []string
	for _, f := range failed.FindAllStringSubmatch(told, -1) {
		gates = append(gates, f[1])
	}
	if got := strings.Join(gates, ","); got != args[0] {
		ts.Fatalf("it failed %s, want %s:\n%s", got, args[0], told)
	}
	if len(args) == 2 && !strings.Contains(told, args[1]) {
		ts.Fatalf("it does not say %q:\n%s", args[1], told)
	}
}

// shut: what the vendor's program shows is known no longer.
func shut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: shut")
	}
	program(ts, true, asked(ts)...)
	if told := ts.ReadFile("stderr"); !strings.Contains(told, "no token") || ts.ReadFile("stdout") != "" {
		ts.Fatalf("it is refused otherwise than at the first door: %s", told)
	}
}

func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep NAME EXPRESSION")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("the last output does not hold %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// mailed waits for a mail: it is sent beside what the script does.
func mailed(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: mailed TO WANT")
	}
	o := ts.Value(outsideKey{}).(*outside)
	want := regexp.MustCompile(args[1])
	has := func() bool {
		return slices.ContainsFunc(o.post.Mails(), func(m notifytest.Mail) bool {
			return m.To == args[0] && want.MatchString(m.Subject+"\n"+m.Text)
		})
	}
	if neg {
		if has() {
			ts.Fatalf("%s was told %q", args[0], args[1])
		}
		return
	}
	for deadline := time.Now().Add(time.Minute); !has(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, m := range o.post.Mails() {
				ts.Logf("to %s: %s\n%s", m.To, m.Subject, m.Text)
			}
			ts.Fatalf("%s was not told %q", args[0], args[1])
		}
	}
}

// calm prints the lines that should not be there, and nothing of two years beside them.
func calm(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: calm [EXCEPT]")
	}
	var except *regexp.Regexp
	if len(args) == 1 {
		except = regexp.MustCompile(args[0])
	}
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		warns := strings.Contains(line, "level=WARN") && (except == nil || !except.MatchString(line))
		if warns || strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") {
			ts.Fatalf("it logged %s", line)
		}
	}
}

func browse(ts *testscript.TestScript, neg bool, args []string) {
	o := ts.Value(outsideKey{}).(*outside)
	base := "https://localhost:" + ts.Getenv("PEOPLE")
	switch {
	case len(args) == 1: // a link: the page's own script posts what stands after the #
		roots, err := identity.PoolFromFiles(ts.MkAbs("box/data/people/ca.crt"))
		ts.Check(err)
		jar, err := cookiejar.New(nil)
		ts.Check(err)
		o.browser = &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{RootCAs: roots, Time: o.now, MinVersion: tls.VersionTLS13}}}
		_, code, ok := strings.Cut(strings.TrimSpace(ts.ReadFile(args[0])), "#")
		if !ok {
			ts.Fatalf("%s holds no link", args[0])
		}
		o.form(ts, neg, base+"/portal/in", url.Values{"code": {code}})
	case len(args) == 2 && args[0] == "get":
		resp, err := o.browser.Get(base + args[1])
		ts.Check(err)
		o.page(ts, neg, resp)
	case len(args) >= 2 && args[0] == "post":
		fields := url.Values{}
		for _, f := range args[2:] {
			k, v, _ := strings.Cut(f, "=")
			if v == "NOW" {
				v = o.now().UTC().Format("2006-01-02T15:04")
			}
			fields.Add(k, v)
		}
		o.form(ts, neg, base+args[1], fields)
	case len(args) == 3 && args[0] == "answer":
		rows, err := csv.NewReader(bufio.NewReader(strings.NewReader(ts.ReadFile(args[2])))).ReadAll()
		ts.Check(err)
		for _, row := range rows[1:] {
			domain, _, _ := strings.Cut(row[0], "-")
			fields := url.Values{"value": {row[1]}}
			if len(row) > 2 {
				fields.Set("detail", row[2])
			}
			o.form(ts, neg, fmt.Sprintf("%s/portal/questionnaires/%s/%s/%s/answer", base, args[1], domain, row[0]), fields)
		}
	default:
		ts.Fatalf("usage: browse CODE-FILE, browse get PATH, browse post PATH K=V..., browse answer QUESTIONNAIRE CSV")
	}
}

func (o *outside) form(ts *testscript.TestScript, neg bool, address string, fields url.Values) {
	resp, err := o.browser.PostForm(address, fields)
	ts.Check(err)
	o.page(ts, neg, resp)
}

func (o *outside) page(ts *testscript.TestScript, neg bool, resp *http.Response) {
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("page.html"), raw, 0o600))
	ts.Setenv("PAGE", path.Base(resp.Request.URL.Path))
	if (resp.StatusCode != http.StatusOK) != neg {
		ts.Fatalf("%s: %s\n%s", resp.Request.URL.Path, resp.Status, raw)
	}
}
