package policy

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/snapshot"
)

const base = `@id("base") permit (principal, action, resource);
`

func rule(id, body string) string {
	return `@id("` + id + `") @message("m") @next("n") @citation("policy") forbid (principal, action, resource) ` + body + ";\n"
}

func TestAnActPolicyIsWhole(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                      "",
		"no rule":                    base,
		"no permit":                  rule("a", ""),
		"two permits":                base + strings.Replace(base, "base", "more", 1) + rule("a", ""),
		"a rule without id":          base + `@message("m") @next("n") @citation("c") forbid (principal, action, resource);`,
		"a rule without a next step": base + `@id("a") @message("m") @citation("c") forbid (principal, action, resource);`,
		"an id twice":                base + rule("a", "") + rule("a", ""),
		"not Cedar":                  base + "forbid",
	} {
		if _, err := NewActEngine("test", []byte(text)); err == nil {
			t.Errorf("%s: it was loaded", name)
		}
	}
}

func TestARuleThatCannotBeEvaluatedRefuses(t *testing.T) {
	e, err := NewActEngine("test", []byte(base+rule("broken", "when { context.nothing == 1 }")+rule("no", `when { context.actor.id == "eve" }`)))
	if err != nil {
		t.Fatal(err)
	}
	ok, why := e.Decide(ActRequest{Actor: "ada", Act: "vendor.propose", Subject: snapshot.Subject{Noun: snapshot.NounVendor, ID: "v"}})
	if ok || len(why) != 1 || why[0].Gate != "broken" || !strings.Contains(why[0].Message, "could not be evaluated") {
		t.Errorf("got %v, %+v", ok, why)
	}
	ok, why = e.Decide(ActRequest{Actor: "eve"})
	if ok || len(why) != 2 || why[0].Gate != "broken" || why[1].Gate != "no" {
		t.Errorf("both: got %v, %+v", ok, why)
	}
}

func TestTheZeroActEngineRefuses(t *testing.T) {
	for _, e := range []*ActEngine{nil, {}} {
		if ok, why := e.Decide(ActRequest{}); ok || len(why) == 0 {
			t.Errorf("got %v, %v", ok, why)
		}
	}
}

func TestWithoutARefusalAnActIsPermitted(t *testing.T) {
	e, err := NewActEngine("test", []byte(base+rule("no", `when { context.actor.id == "eve" }`)))
	if err != nil {
		t.Fatal(err)
	}
	if ok, why := e.Decide(ActRequest{Actor: "ada"}); !ok || len(why) != 0 {
		t.Errorf("got %v, %v", ok, why)
	}
	if got := strings.Join(e.Rules(), " "); got != "no" {
		t.Errorf("rules: got %q", got)
	}
}
