package scan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// required lists what the schema of SARIF 2.1.0 wants, by path, with the JSON
// type: "[]" goes into every element.
var required = map[string]string{
	"version":                       "string",
	"runs":                          "array",
	"runs[].tool.driver.name":       "string",
	"runs[].tool.driver.rules[].id": "string",
	"runs[].invocations[].executionSuccessful":                           "bool",
	"runs[].results[].message.text":                                      "string",
	"runs[].results[].ruleId":                                            "string",
	"runs[].results[].locations[].physicalLocation.artifactLocation.uri": "string",
	"runs[].results[].locations[].physicalLocation.region.startLine":     "number",
	"runs[].results[].partialFingerprints.sallyportPlace/v1":             "string",
}

func TestSARIF(t *testing.T) {
	dir := t.TempDir()
	for _, c := range files {
		write(t, dir, c.name, c.text)
	}
	write(t, dir, "a b/ü#?.log", "ssn: "+plantedSSN+"\n")
	rep := scanPaths(t, Options{Root: dir}, dir)
	rep.Failed = append(rep.Failed, Failure{"gone.txt", "it is no longer there"})
	var b bytes.Buffer
	if err := rep.WriteSARIF(&b, "1.0"); err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for path, kind := range required {
		if n, err := walk(doc, strings.Split(path, "."), kind); err != nil || n == 0 {
			t.Errorf("%s: %v, %d times", path, err, n)
		}
	}
	root := doc.(map[string]any)
	if root["version"] != "2.1.0" {
		t.Errorf("got version %v, want 2.1.0", root["version"])
	}
	run := root["runs"].([]any)[0].(map[string]any)
	rules := run["tool"].(map[string]any)["driver"].(map[string]any)["rules"].([]any)
	uris := map[string]bool{}
	for _, r := range run["results"].([]any) {
		r := r.(map[string]any)
		// 3.27.7: the index must name the rule of the id.
		if id := rules[int(r["ruleIndex"].(float64))].(map[string]any)["id"]; id != r["ruleId"] {
			t.Errorf("rule index names %v, the id %v", id, r["ruleId"])
		}
		if l := r["level"]; l != "warning" && l != "error" {
			t.Errorf("level is %v", l)
		}
		place := r["locations"].([]any)[0].(map[string]any)["physicalLocation"].(map[string]any)
		region := place["region"].(map[string]any)
		if region["startLine"].(float64) < 1 || region["startColumn"].(float64) < 1 {
			t.Errorf("a region starts before the file: %v", region)
		}
		uris[place["artifactLocation"].(map[string]any)["uri"].(string)] = true
	}
	if want := "a%20b/%C3%BC%23%3F.log"; !uris[want] {
		t.Errorf("got %v, want %s among them", uris, want)
	}
	inv := run["invocations"].([]any)[0].(map[string]any)
	if inv["executionSuccessful"] != false || len(inv["toolExecutionNotifications"].([]any)) != 1 {
		t.Error("a file that could not be read is not told")
	}
}

func walk(v any, path []string, kind string) (int, error) {
	if len(path) == 0 {
		got := map[bool]string{}
		switch v := v.(type) {
		case string:
			got[v != ""] = "string"
		case float64:
			got[true] = "number"
		case bool:
			got[true] = "bool"
		case []any:
			got[true] = "array"
		}
		if got[true] != kind {
			return 0, fmt.Errorf("is %T, want %s that is not empty", v, kind)
		}
		return 1, nil
	}
	name, list := strings.CutSuffix(path[0], "[]")
	m, ok := v.(map[string]any)
	if !ok || m[name] == nil {
		return 0, fmt.Errorf("%s is missing", name)
	}
	if !list {
		return walk(m[name], path[1:], kind)
	}
	items, ok := m[name].([]any)
	if !ok {
		return 0, fmt.Errorf("%s is no array", name)
	}
	sum := 0
	for _, it := range items {
		n, err := walk(it, path[1:], kind)
		if err != nil {
			return sum, err
		}
		sum += n
	}
	return sum, nil
}

// The JSON document has the field names that scripts rely on, one finding a line.
func TestJSON(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.log", "ssn: "+plantedSSN+"\nSSN: 418-22-9071\n")
	rep := scanPaths(t, Options{Root: dir}, filepath.Join(dir, "a.log"))
	var b bytes.Buffer
	if err := rep.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Version  int
		Findings []map[string]any
		Files    int
		Skipped  map[string]int
		Failed   []Failure
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Version != 1 || doc.Files != 1 || len(doc.Findings) != 2 || doc.Failed == nil {
		t.Errorf("got %+v, want version 1, one file, two findings, an empty list of failures", doc)
	}
	for _, name := range []string{"path", "line", "column", "category", "citation", "confidence", "reason", "count", "excerpt", "fingerprint"} {
		if doc.Findings[0][name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if n := strings.Count(b.String(), "\n{"); n != 2 {
		t.Errorf("got %d lines that start with a finding, want 2", n)
	}
}
