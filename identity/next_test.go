package identity

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"strconv"
	"testing"
)

// A refusal without a way out is half a refusal: a new Reason that forgets it fails here.
func TestEveryReasonHasAWayOut(t *testing.T) {
	f, err := parser.ParseFile(gotoken.NewFileSet(), "identity.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := v.Type.(*ast.Ident); !ok || typ.Name != "Reason" || len(v.Values) == 0 {
			return true
		}
		text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if nextSteps[Reason(text)] == "" {
			t.Errorf("%s has no next step", text)
		}
		return true
	})
	if seen != len(nextSteps) || seen < 50 {
		t.Errorf("%d reasons and %d next steps", seen, len(nextSteps))
	}
}
