package course

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sallyport/sallyport/hipaa"
)

func testCourse(t testing.TB) *Catalogue {
	t.Helper()
	c, err := Load(os.DirFS("testdata"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoad(t *testing.T) {
	c := testCourse(t)
	i := slices.IndexFunc(c.Lessons, func(l Lesson) bool { return l.ID == "before-the-ink" })
	if i < 0 {
		t.Fatal("the lesson is not there")
	}
	l := c.Lessons[i]
	if l.Minutes != 5 || !strings.Contains(string(l.HTML), "<h2>The account works already</h2>") || !strings.Contains(string(l.HTML), "<table>") || strings.Contains(string(l.HTML), "<h1") {
		t.Fatalf("got %+v", l)
	}
	want := []Cite{{hipaa.MustCite("S-308-b-1"), "S-308-b-1"}, {hipaa.MustCite("P-502-e-2"), "P-502-e-2"},
		{hipaa.Citation{Text: "A guide that nobody here has read", Verified: Unverified}, ""}}
	for i, w := range want {
		if l.Cites[i] != w {
			t.Errorf("cite %d: got %+v, want %+v", i, l.Cites[i], w)
		}
	}
	if d, _ := c.Drill("count-them"); !d.Check.Right(" 7 ") || d.Check.Right("8") || d.Check.Right("") {
		t.Error("the answer of the drill")
	}
	again := testCourse(t)
	if c.Digest != again.Digest || len(c.Digest) != 64 || c.Digest == Current().Digest {
		t.Errorf("digests %s, %s, %s", c.Digest, again.Digest, Current().Digest)
	}
}

// What is built in holds together: each track has questions enough, and so that a draw
// is not always the same.
func TestCurrent(t *testing.T) {
	c := Current()
	if n := len(c.Questions); n < 52 {
		t.Errorf("%d questions", n)
	}
	for _, tr := range Tracks {
		pool := 0
		for _, q := range c.Questions {
			if c.Critical(q.ID) || For(q.Tracks, tr.ID) && contains(tr.Modules, q.Module) {
				pool++
			}
		}
		if pool < Drawn+2 {
			t.Errorf("%s has %d questions to draw %d from", tr.ID, pool, Drawn)
		}
	}
	for _, q := range c.Questions {
		for _, id := range q.Controls {
			if _, ok := hipaa.LookupControl(id); !ok {
				t.Logf("%s names %s, which the catalogue does not have", q.ID, id)
			}
		}
		if got := Cites(q); got[0].Text == "" || got[0].Verified == "" {
			t.Errorf("%s: %+v", q.ID, got)
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func TestLoadRefuses(t *testing.T) {
	read := func(name string) string {
		raw, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	lesson, exercise, drill := read("lessons/M1/01-before-the-ink.md"), read("exercises/pasted-chart.json"), read("drills/count-them.json")
	for _, c := range []struct{ name, file, text, old, new, want string }{
		{"an unknown key", "lessons/M1/a.md", lesson, "minutes: 5", "minutes: 5\nauthor: me", "author"},
		{"no front matter", "lessons/M1/a.md", lesson, "---\nid", "id", "front matter"},
		{"another module's folder", "lessons/M2/a.md", lesson, "", "", "another module"},
		{"an unknown module", "lessons/M9/a.md", lesson, "module: M1", "module: M9", "no module"},
		{"an unknown track", "lessons/M1/a.md", lesson, "[ALL]", "[PILOT]", "PILOT"},
		{"ALL and another", "lessons/M1/a.md", lesson, "[ALL]", "[ALL, DS]", "ALL"},
		{"no minutes", "lessons/M1/a.md", lesson, "minutes: 5", "minutes: 0", "minutes"},
		{"HTML", "lessons/M1/a.md", lesson, "**ready**", "<b>ready</b>", "HTML"},
		{"a block of HTML", "lessons/M1/a.md", lesson, "Look at", "<script>alert(1)</script>\n\nLook at", "HTML"},
		{"an image", "lessons/M1/a.md", lesson, "[the rule]", "![the rule]", "image"},
		{"an unknown key", "exercises/pasted-chart.json", exercise, `"intro"`, `"hint": "", "intro"`, "hint"},
		{"a key twice", "exercises/pasted-chart.json", exercise, `"intro"`, `"title": "again", "intro"`, "title"},
		{"another id than the file", "exercises/other.json", exercise, "", "", "pasted-chart.json"},
		{"an unknown screen", "exercises/pasted-chart.json", exercise, `"kind": "ticket"`, `"kind": "hologram"`, "hologram"},
		{"no violation", "exercises/pasted-chart.json", exercise, `"violation": true`, `"violation": false`, "violations"},
		{"a line that says no why", "exercises/pasted-chart.json", exercise, `"A symptom tells nothing of a patient."`, `""`, "why"},
		{"no digest", "drills/count-them.json", drill, "7902", "79", "SHA-256"},
		{"an unknown check", "drills/count-them.json", drill, `"count"`, `"guess"`, "guess"},
		{"a stray file", "notes.txt", "hello", "", "", "not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(c.text, c.old, c.new, 1)
			if c.old != "" && text == c.text {
				t.Fatal("the case changes nothing")
			}
			_, err := Load(fstest.MapFS{c.file: {Data: []byte(text)}})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.file) {
				t.Errorf("got %v, want %q in %s", err, c.want, c.file)
			}
		})
	}
	twice := fstest.MapFS{"lessons/M1/a.md": {Data: []byte(lesson)}, "lessons/M1/b.md": {Data: []byte(lesson)}}
	if _, err := Load(twice); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("got %v", err)
	}
}

func TestLinksThatRunAreDropped(t *testing.T) {
	html, err := Render([]byte("[here](javascript:alert(1)) <https://example.org/>"))
	if err != nil || strings.Contains(string(html), "javascript") {
		t.Errorf("got %s, %v", html, err)
	}
}

func FuzzLesson(f *testing.F) {
	raw, err := os.ReadFile("testdata/lessons/M1/01-before-the-ink.md")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("---\nid: a\n---\n<a onclick=x>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := parseLesson(raw)
		if err == nil && (strings.Contains(string(l.HTML), "<script") || strings.Contains(string(l.HTML), "<img") || strings.Contains(string(l.HTML), "raw HTML omitted") || l.ID == "") {
			t.Errorf("got %q", l.HTML)
		}
	})
}
