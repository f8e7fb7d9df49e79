package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/sallyport/sallyport/internal/need"
)

// Violation is a rule of axe-core's that a page breaks, and where.
type Violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		Target         []any
		HTML           string
		FailureSummary string
	}
}

// String names the rule, and the first places.
func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s", v.ID, v.Impact, v.Help)
	for _, n := range v.Nodes[:min(len(v.Nodes), 3)] {
		fmt.Fprintf(&b, "\n\t%v %.160s\n\t\t%s", n.Target, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", "; "))
	}
	if len(v.Nodes) > 3 {
		fmt.Fprintf(&b, "\n\tand %d more", len(v.Nodes)-3)
	}
	return b.String()
}

const axe = `window.axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
	.then(r => JSON.stringify(r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help,
		nodes: v.nodes.map(n => ({target: n.target, html: n.html, failureSummary: n.failureSummary}))}))))`

// WithAxe puts axe-core into each page that is opened from now on, beside the page's own
// scripts and not by its content policy.
func (b *Browser) WithAxe() {
	b.t.Helper()
	file := filepath.Join(need.Node(b.t), "node_modules", "axe-core", "axe.min.js")
	source, err := os.ReadFile(file)
	if err != nil {
		need.Skip(b.t, "there is no axe-core: "+err.Error())
	}
	call(b, "adding axe-core", page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: string(source)})
}

// Axe looks at the page that is shown, after WithAxe, by the rules of WCAG 2.0 to 2.2, A
// and AA, and by axe's own of good practice.
func (b *Browser) Axe() []Violation {
	b.t.Helper()
	raw := run(b, "running axe-core", chromedp.Evaluate[string](axe, chromedp.EvalAwaitPromise))
	var out []Violation
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		b.t.Fatalf("axe-core: %v", err)
	}
	return out
}
