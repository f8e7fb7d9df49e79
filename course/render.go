package course

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// markdown is CommonMark with tables. HTML is off, and addresses that could run
// something are dropped.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table))

var errHTML = errors.New("holds HTML or an image: lessons are Markdown alone")

// Render turns a lesson's Markdown into HTML. Raw HTML and images are refused rather
// than left out: a lesson that says less than its author wrote would not be noticed.
// The page has its title at level 1, so a lesson's own headings begin at 2.
func Render(body []byte) (template.HTML, error) {
	doc := markdown.Parser().Parse(text.NewReader(body))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.RawHTML, *ast.HTMLBlock, *ast.Image:
			return ast.WalkStop, errHTML
		case *ast.Heading:
			n.Level = max(n.Level, 2)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := markdown.Renderer().Render(&out, body, doc); err != nil {
		return "", fmt.Errorf("markdown: %w", err)
	}
	return template.HTML(out.String()), nil // our own words, in which no HTML stood
}
