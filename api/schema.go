package api

import (
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// schemaName is a type's name in the OpenAPI document. Those of the knowledge packages
// have their package before it, since two of them may have types of one name.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	pkg := path.Base(t.PkgPath())
	if t.Name() == "" || strings.Contains(t.Name(), "[") || !strings.HasPrefix(t.PkgPath(), "github.com/sallyport/") || slices.Contains([]string{"api", "snapshot", "problem"}, pkg) {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}
