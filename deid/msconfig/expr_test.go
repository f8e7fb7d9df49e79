package msconfig

import (
	"errors"
	"strings"
	"testing"
)

const sampleObservation = `{"resourceType": "Observation", "id": "o1", "status": "final", "contained": [{"resourceType": "Patient", "id": "p1", "active": true}],
	"code": {"coding": [{"system": "s1", "code": "c1"}, {"system": "s2", "code": "c2", "display": "two"}], "text": "t"},
	"subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2020-03-04T05:06:07Z",
	"valueQuantity": {"value": 7.50, "code": "mg"},
	"component": [{"code": {"text": "a"}, "valueInteger": 3}, {"code": {"text": "b"}, "valueString": "x"}, {"code": {"text": "a"}}]}`

// TestExpressions evaluates on one Observation and writes the answer down: values
// apart by "|", elements without a value by their type.
func TestExpressions(t *testing.T) {
	tests := []struct{ expr, want string }{
		// Paths.
		{"status", "final"},
		{"Observation.status", "final"},
		{"Resource.id", "o1"},
		{"Patient.id", ""},
		{"code.coding.code", "c1|c2"},
		{"code.coding[1].display", "two"},
		{"code.coding[7].display", ""},
		{"value", "Quantity"},
		{"valueQuantity", ""},
		{"component.value", "3|x"},
		{"(component.value as string)", "x"},
		{"component.value as integer", "3"},
		{"component.value.ofType(System.Integer)", ""},
		{"component.value.first() is integer", "true"},
		{"value is Quantity", "true"},
		{"value.is(FHIR.Quantity)", "true"},
		{"code.`coding`.count()", "2"},
		{"nodesByType('code')", "final|c1|c2|mg"},
		{"nodesByName('text')", "t|a|b|a"},
		{"component.nodesByType('integer')", "3"},
		{"descendants().where($this is Patient).id", "p1"},
		{"nodesByType('Patient').id", ""},
		{"children().ofType(Reference).reference", "Patient/p1"},
		{"subject.extension('u')", ""},
		// Collections.
		{"component.code.text | code.text", "a|b|t"},
		{"component.code.text.combine(code.text).count()", "4"},
		{"component.code.text.distinct()", "a|b"},
		{"component.code.text.isDistinct()", "false"},
		{"component.where(code.text = 'a').count()", "2"},
		{"component.where($index = 1).value", "x"},
		{"component.all(code.exists())", "true"},
		{"component.exists(value = 3)", "true"},
		{"component.any(value = 4)", "false"},
		{"component.select(code.text)", "a|b|a"},
		{"component.first().value", "3"},
		{"component.tail().code.text", "b|a"},
		{"component.skip(1).take(1).value", "x"},
		{"component.last().value.empty()", "true"},
		{"{}.exists()", "false"},
		{"iif(status = 'final', 'f', 'n')", "f"},
		{"'c2' in code.coding.code", "true"},
		{"code.coding.code contains 'c3'", "false"},
		// Logic of three values.
		{"true and {}", ""},
		{"false and {}", "false"},
		{"{} or true", "true"},
		{"false xor true", "true"},
		{"{} implies true", "true"},
		{"false implies {}", "true"},
		{"status.exists() and 1 < 2 or false", "true"},
		{"(status = 'x').not()", "true"},
		// Comparison.
		{"value.value > 7", "true"},
		{"value.value = 7.5", "true"},
		{"value > 7 'mg'", "true"},
		{"value > 7 'g'", ""},
		{"effective > @2020-03-04", ""},
		{"effective > @2020-03-03", "true"},
		{"effective <= @2020-03-04T06:06:07+01:00", "true"},
		{"effective = @2020", ""},
		{"effective ~ @2020", "false"},
		{"@T10:30 < @T10:31", "true"},
		{"'a' < 'b'", "true"},
		{"'A' ~ 'a'", "true"},
		{"'A' = 'a'", "false"},
		{"'1' = 1", "false"},
		{"1.0 = 1", "true"},
		{"1 != 2", "true"},
		{"code.coding[0] = code.coding[1]", "false"},
		{"component[0].code = component[2].code", "true"},
		// Arithmetic.
		{"1 + 2 * 3", "7"},
		{"-(1 + 2)", "-3"},
		{"7 div 2", "3"},
		{"-7 mod 3", "-1"},
		{"1 / 3", "0.3333333333333333333333333333"},
		{"10 / 4", "2.5"},
		{"1 / 0", ""},
		{"1.10 + 2", "3.10"},
		{"'a' + 'b' & 'c' & {}", "abc"},
		{"(2.5).round()", "2"},
		{"(-2.5).floor()", "-3"},
		{"(-2.5).ceiling()", "-2"},
		{"(-2.50).abs()", "2.50"},
		// Strings, counted in UTF-16.
		{"'abcdef'.substring(2, 3)", "cde"},
		{"'abcdef'.substring(9)", ""},
		{"'a😀b'.length()", "4"},
		{"'a😀b'.substring(3)", "b"},
		{"'abc'.contains('b') and 'abc'.endsWith('c')", "true"},
		{"'abc'.indexOf('c')", "2"},
		{"'aXbX'.replace('X', '-')", "a-b-"},
		{"' Ab '.trim().upper()", "AB"},
		{`'2001-02-03'.replaceMatches('(\\d+)-(?<m>\\d+)', '$1/${m}$$')`, "2001/02$-03"},
		{"true.toString() + 7.50.toString()", "true7.50"},
		{"'12'.toInteger() + 1", "13"},
		{"'x'.toInteger()", ""},
		{"'1.50'.toDecimal()", "1.50"},
		{"%loinc", "http://loinc.org"},
		{"%context.id", "o1"},
		{"status // and a comment\n = /* another */ 'final'", "true"},
	}
	n, err := parse([]byte(sampleObservation), &arena{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			x, err := parseExpr(tt.expr)
			if err != nil {
				t.Fatal(err)
			}
			tr := tree{budget: maxWork(100)}
			s, err := x.eval(tr.env(n))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, it := range s {
				if v := it.val(); v.kind != none {
					got = append(got, v.s)
				} else {
					got = append(got, it.typ())
				}
			}
			if g := strings.Join(got, "|"); g != tt.want {
				t.Errorf("got %q, want %q", g, tt.want)
			}
		})
	}
}

// TestExpressionErrors: what cannot be answered is an error, and the error tells
// no value.
func TestExpressionErrors(t *testing.T) {
	n, err := parse([]byte(strings.ReplaceAll(sampleObservation, `"x"`, `"ZZCANARY"`)), &arena{})
	if err != nil {
		t.Fatal(err)
	}
	for _, expr := range []string{
		"component.value + 1", "component[1].value + 1", "component[1].value > 3", "code > 1", "status.substring('a')",
		"component.code.text.startsWith('a')", "component.not()", "(component is string)", "component.code in code",
		"status.single() and component.single()", "2147483647 + 1", "descendants().where(%context.descendants().exists())",
	} {
		x, err := parseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		tr := tree{budget: 1000}
		_, err = x.eval(tr.env(n))
		if err == nil {
			t.Errorf("%s: got no error", expr)
		} else if strings.Contains(err.Error(), "ZZ") {
			t.Errorf("%s: the error tells a value: %v", expr, err)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, tt := range []struct {
		expr string
		at   int
	}{
		{"", 0}, {"a.", 2}, {"a..b", 2}, {"a b", 2}, {"(a", 2}, {"a)", 1}, {"a[1", 3}, {"'abc", 0}, {"'a\\q'", 3}, {"@20", 0}, {"@2001-13-01", 0},
		{"a as", 4}, {"a is b is c", 7}, {"99999999999", 0}, {"f()", 0}, {"a.exists(1, 2)", 2}, {"1 +", 3}, {"%x", 0}, {"$x", 2}, {"/* x", 0},
		{"a.matches('[')", 2}, {"a.replaceMatches('x*', 'y')", 2}, {"'\\uD800'", 3},
		{strings.Repeat("(", 200) + "a" + strings.Repeat(")", 200), 100},
	} {
		_, err := parseExpr(tt.expr)
		var se *syntaxError
		if !errors.As(err, &se) {
			t.Errorf("%q: got %v, want a syntax error", tt.expr, err)
			continue
		}
		if se.at != tt.at {
			t.Errorf("%q: got it at %d (%s), want %d", tt.expr, se.at, se.what, tt.at)
		}
	}
}
