package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/need"
)

// A specification of three types, shaped as R4's definitions are.
const tiny = `[
{"name":"Resource","kind":"resource","abstract":true,"snapshot":{"element":[{"path":"Resource"},{"path":"Resource.id","min":0,"max":"1","base":{"path":"Resource.id"},"type":[{"code":"id"}]}]}},
{"name":"Extension","kind":"complex-type","snapshot":{"element":[{"path":"Extension"},{"path":"Extension.value[x]","min":0,"max":"1","base":{"path":"Extension.value[x]"},"type":[{"code":"string"},{"code":"Reference"}]}]}},
{"name":"Coding","kind":"complex-type","snapshot":{"element":[{"path":"Coding"},{"path":"Coding.system","min":0,"max":"1","base":{"path":"Coding.system"},"type":[{"code":"uri"}]},{"path":"Coding.code","min":0,"max":"1","base":{"path":"Coding.code"},"type":[{"code":"code"}],"binding":{"strength":"required"}}]}},
{"name":"Visit","kind":"resource","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Resource","derivation":"specialization","snapshot":{"element":[{"path":"Visit"},
 {"path":"Visit.id","min":0,"max":"1","base":{"path":"Resource.id"},"type":[{"code":"id"}]},
 {"path":"Visit.extension","min":0,"max":"*","base":{"path":"Visit.extension"},"type":[{"code":"Extension"}]},
 {"path":"Visit.code","min":1,"max":"*","base":{"path":"Visit.code"},"type":[{"code":"Coding"}]},
 {"path":"Visit.when[x]","min":0,"max":"1","base":{"path":"Visit.when[x]"},"type":[{"code":"date"},{"code":"string"}]},
 {"path":"Visit.who","min":1,"max":"1","base":{"path":"Visit.who"},"type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Patient","http://hl7.org/fhir/StructureDefinition/Group"]}]},
 {"path":"Visit.part","min":0,"max":"*","base":{"path":"Visit.part"},"type":[{"code":"BackboneElement"}]},
 {"path":"Visit.part.note","min":0,"max":"1","base":{"path":"Visit.part.note"},"type":[{"code":"string"}]},
 {"path":"Visit.part.part","min":0,"max":"*","base":{"path":"Visit.part.part"},"contentReference":"#Visit.part"}]}},
{"name":"Profile","kind":"resource","derivation":"constraint","snapshot":{"element":[{"path":"Visit"}]}}]`

func tinyModel(t *testing.T) *model {
	t.Helper()
	var defs []structure
	if err := json.Unmarshal([]byte(tiny), &defs); err != nil {
		t.Fatal(err)
	}
	return newModel(defs)
}

func TestATypeIsWritten(t *testing.T) {
	m := tinyModel(t)
	var b bytes.Buffer
	m.write(&b, m.byName["Visit"])
	want := `resource Visit Resource
 extension * Extension
 code + Coding
 when[x] ? date string
 who 1 Reference(Group|Patient)
 part * {
  note ? string
  part * =Visit.part
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if _, ok := m.byName["Profile"]; ok {
		t.Error("a profile became a type")
	}
}

func TestExpressionsAreReducedToWhatTheyRead(t *testing.T) {
	m := tinyModel(t)
	for expr, want := range map[string]string{
		"Visit.code":                                      "code",
		"Visit.code.code":                                 "code.code",
		"Visit.code | Visit.code.system":                  "code",
		"Visit.when":                                      "when[x]",
		"(Visit.when as date)":                            "when[x]",
		"Visit.when.as(date) | Other.thing":               "OPAQUE", // Other is no type here
		"Visit.code.where(system='a').code":               "code.code code.system",
		"Visit.when.exists() and Visit.when != 1":         "OPAQUE", // a number literal is not used by R4
		"Visit.when.exists() and Visit.when != false":     "when[x]",
		"Visit.who.where(resolve() is Patient)":           "who",
		"Visit.extension('http://x').value":               "extension.value[x]",
		"Visit.part.where(hasExtension('http://x')).note": "OPAQUE", // this part has no extension
		"Visit.part.part.note":                            "part.part.note",
		"Visit.part[0].note":                              "part.note",
		"Visit.who.resolve().name":                        "OPAQUE", // another resource's element
		"Visit.nonsense":                                  "OPAQUE",
		"Visit.code.first()":                              "OPAQUE",
		"Visit.code.where(system='a'":                     "OPAQUE",
		"Visit.code.iif(true, code, system)":              "OPAQUE",
		"":                                                "OPAQUE",
		"true":                                            "OPAQUE",
		"Visit":                                           "OPAQUE",
	} {
		p := m.reduce(searchParameter{Code: "x", Type: "token", Expression: expr}, "Visit", nil)
		got := strings.Join(p.paths, " ")
		if p.opaque != "" {
			got = "OPAQUE"
		}
		if got != want {
			t.Errorf("%q reads %q (%s), want %q", expr, got, p.opaque, want)
		}
	}
	p := m.reduce(searchParameter{Type: "reference", Target: []string{"Patient", "Group"}, Expression: "Visit.who.where(resolve() is Patient)"}, "Visit", nil)
	if got := strings.Join(p.targets, " "); got != "Patient" {
		t.Errorf("narrowed targets: got %q, want Patient", got)
	}
}

// Whoever has the package can check that the committed text is what it gives.
func TestTheCommittedTextIsUpToDate(t *testing.T) {
	dir := os.Getenv("FHIR_R4_PACKAGE")
	if dir == "" {
		need.Skip(t, "FHIR_R4_PACKAGE does not name the unpacked package hl7.fhir.r4.examples 4.0.1")
	}
	got, _, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../r4.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("r4.txt is not what the package gives: run go generate in fhir/spec")
	}
}
