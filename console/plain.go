package console

import (
	"regexp"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/registry"
)

// commandsInText finds what a next step names for people at the command line: the
// commands that do it, in brackets.
var commandsInText = regexp.MustCompile(` \(([a-z]+ [a-z-]+(?:, [a-z]+ [a-z-]+)*)\)`)

// commandNouns are the first words of the commands, which are those of the acts.
var commandNouns = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for i := range registry.Acts {
		noun, _, _ := strings.Cut(string(registry.Acts[i].Name), ".")
		out[noun] = true
	}
	return out
})

// plain leaves out the names of commands: a page has a button where they have a command.
func plain(text string) string {
	return commandsInText.ReplaceAllStringFunc(text, func(found string) string {
		for part := range strings.SplitSeq(strings.Trim(found, " ()"), ", ") {
			if noun, _, _ := strings.Cut(part, " "); !commandNouns()[noun] {
				return found
			}
		}
		return ""
	})
}

// toCome says what a gate will refuse for, where its own words say that it already does.
var toCome = map[string]string{
	"agreement ended":              "The agreement ends",
	"agreement other-lapsed":       "Another paper that the engagement rests on ends",
	"assessment expired":           "The vendor's assessment expires",
	"assessment answer-stale":      "An answer to a critical question grows too old to count",
	"assessment condition-overdue": "A condition of the assessment has to be met",
	"assessment acceptance-lapsed": "The acceptance of a risk runs out",
	"basis expired":                "The legal basis expires",
	"certification expired":        "A required certification expires",
	"deidentification expired":     "The expert's determination expires",
	"device trust-expired":         "The machine's approval runs out",
	"engagement ended":             "The engagement ends",
	"grant ended":                  "The grant ends",
	"review overdue":               "The access review has to be complete",
	"screening expired":            "The vendor's screening (28 CFR Part 202) runs out",
	"training expired":             "The training of a person expires",
	"workload expired":             "The attestation of a machine runs out",
}

// stillToCome is a date to come in the words of before, not of after.
func stillToCome(stops []forecast.Stop) []forecast.Stop {
	for i := range stops {
		x := &stops[i]
		if text, ok := toCome[x.Gate+" "+x.Code]; ok && x.Kind == forecast.Stops {
			x.Message = text
		}
		x.Next = plain(x.Next)
	}
	return stops
}
