package console_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// jsonFields are those in which JSON may stand, and why.
var jsonFields = map[string]string{
	"keys":   "a JWK Set is how programs hand public keys out; PEM is taken as well",
	"bundle": "what a build signed is a file that a program wrote: nobody types it",
	"terms":  "folded, for a value that the fields beside it cannot say, and for those who have the paper as data",
}

// wholeForm wants each field of an act's form to have a label, a help where something is to be
// typed, and to say whether it may be left out; and no JSON but where there is a reason.
func wholeForm(t *testing.T, name, body string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]*html.Node{}
	labels := map[string]string{}
	var form *html.Node
	for n := range doc.Descendants() {
		if id := nodeAttr(n, "id"); id != "" {
			if at[id] != nil {
				t.Errorf("%s: two elements have the id %q", name, id)
			}
			at[id] = n
		}
		if n.Data == "label" {
			labels[nodeAttr(n, "for")] = nodeText(n)
		}
		if n.Data == "form" && strings.Contains(nodeAttr(n, "class"), "do-form") {
			form = n
		}
	}
	if form == nil {
		t.Errorf("%s has no form", name)
		return
	}
	said := func(n *html.Node) string {
		text := ""
		for id := range strings.FieldsSeq(nodeAttr(n, "aria-describedby")) {
			if at[id] == nil {
				t.Errorf("%s: %q is described by %q, which is not there", name, nodeAttr(n, "name"), id)
				continue
			}
			text += nodeText(at[id])
		}
		return text
	}
	for n := range form.Descendants() {
		kind := nodeAttr(n, "type")
		if n.Type != html.ElementNode || n.Data != "input" && n.Data != "select" && n.Data != "textarea" || kind == "hidden" {
			continue
		}
		field := nodeAttr(n, "name")
		label, legend := labels[nodeAttr(n, "id")], ""
		for up := n.Parent; up != nil; up = up.Parent {
			if up.Data == "label" {
				label = nodeText(up)
			}
			if up.Data == "fieldset" && legend == "" {
				legend = nodeText(up.FirstChild)
			}
		}
		if strings.TrimSpace(label) == "" {
			t.Errorf("%s: %q has no label", name, field)
		}
		if kind == "radio" || kind == "checkbox" {
			if kind == "radio" && strings.TrimSpace(legend) == "" {
				t.Errorf("%s: %q has no legend", name, field)
			}
			continue
		}
		help := said(n)
		if n.Data != "select" && help == "" {
			t.Errorf("%s: %q (%s) has no help", name, field, strings.TrimSpace(label))
		}
		top, _, _ := strings.Cut(field, ".")
		if (strings.Contains(help, "JSON") || strings.Contains(label, "JSON")) && jsonFields[top] == "" {
			t.Errorf("%s: %q takes JSON, for no reason that is listed", name, field)
		}
		if optional := strings.Contains(label, "(optional)"); !strings.Contains(field, ".") && kind != "file" && field != "add" && optional == (nodeAttr(n, "aria-required") == "true") {
			t.Errorf("%s: %q does not say whether it may be left out: optional is %v", name, field, optional)
		}
	}
}

func nodeAttr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func nodeText(n *html.Node) string {
	if n == nil {
		return ""
	}
	if n.Type == html.TextNode {
		return n.Data
	}
	var out strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			out.WriteString(c.Data)
		}
	}
	return out.String()
}
