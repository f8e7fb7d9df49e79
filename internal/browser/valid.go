package browser

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/need"
)

//go:embed valid.mjs
var validator []byte

// rules are html-validate's, all that it recommends but for those that are switched off,
// each with its reason.
var rules = map[string]any{
	"extends": []string{"html-validate:recommended", "html-validate:document"},
	"rules": map[string]any{
		"doctype-style":           "off",                                                  // upper or lower case: the standard takes both
		"void-style":              "off",                                                  // the same of <br> and <br/>
		"no-trailing-whitespace":  "off",                                                  // templates leave some, and nobody sees it
		"long-title":              "off",                                                  // a title names the page and then the organisation, whose name is its own
		"attribute-boolean-style": "off",                                                  // hidden and hidden="": both are valid
		"attribute-empty-style":   "off",                                                  // value and value="": the same
		"no-implicit-button-type": "off",                                                  // a button in a form sends it, which is what ours are for
		"require-sri":             "off",                                                  // only our own host is asked
		"form-dup-name":           "off",                                                  // boxes of one list share its name
		"no-redundant-for":        "off",                                                  // a label around its field may name it, too
		"no-implicit-input-type":  "off",                                                  // text is what a field without a type is
		"valid-id":                []any{"error", map[string]any{"relaxed": true}},        // dots of a field's path are valid
		"heading-level":           []any{"error", map[string]any{"minInitialRank": "h2"}}, // the menu, before the page's h1, has headings
		"prefer-native-element":   "off",                                                  // role="status" on a div is not what <output> is
		"tel-non-breaking":        "off",                                                  // numbers of records look like telephones to it
	},
}

// Fault is where a page is not valid HTML.
type Fault struct {
	Name         string
	Line, Column int
	Rule         string
	Message      string
}

// String names the place and the rule.
func (f Fault) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s", f.Name, f.Line, f.Column, f.Rule, f.Message)
}

// Validate has html-validate read all pages, by name, in one process.
func Validate(t testing.TB, pages map[string]string) []Fault {
	t.Helper()
	parts := need.Node(t)
	if _, err := os.Stat(filepath.Join(parts, "node_modules", "html-validate")); err != nil {
		need.Skip(t, "there is no html-validate: "+err.Error())
	}
	script := filepath.Join(t.TempDir(), "valid.mjs")
	if err := os.WriteFile(script, validator, 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(pages)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, need.Tool(t, "node"), script, parts, string(config))
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("html-validate: %v\n%s", err, stderr.Bytes())
	}
	var out []Fault
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("html-validate: %v", err)
	}
	return out
}
