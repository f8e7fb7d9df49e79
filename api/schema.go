package api

import (
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// knowledge are the packages whose words OpenAPI names with the package before them: a
// question of the law is not what explain calls one, and each has reasons of its own.
var knowledge = []string{"agreement", "breach", "course", "diligence", "disclosure", "forecast", "hipaa", "paper"}

// schemaName names a type in OpenAPI: by its own name, and where that is not enough by
// its package's, too.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if pkg := path.Base(t.PkgPath()); t.Name() != "" && slices.Contains(knowledge, pkg) {
		return strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
	return name
}
