package console

import (
	"slices"
	"strings"
)

// audience is who a screen is for. The zero audience is nobody.
type audience int

const (
	nobody   audience = iota
	ours              // the organisation's approved people
	theirs            // a vendor's approved people, for their own firm
	everyone          // both
)

// screen is one page: a function and a template of one name.
type screen struct {
	Name    string // of the template: screens/<name>.html; empty: it answers with a file or leads elsewhere
	Title   string
	Pattern string // as http.ServeMux takes it
	For     audience
	Max     int64 // what it may be sent, in bytes; 0: maxForm
	show    func(*server, *visit) (any, error)
	example any // the zero value of what the template gets
}

// on is a screen whose function gives the data of its template.
func on[T any](name, title, pattern string, who audience, show func(*server, *visit) (T, error)) screen {
	return screen{Name: name, Title: title, Pattern: pattern, For: who, example: page[T]{}, show: func(s *server, v *visit) (any, error) {
		data, err := show(s, v)
		if err != nil {
			return nil, err
		}
		return page[T]{s.frame(v), data}, nil
	}}
}

// screens is every screen there is, part by part.
func screens() []screen {
	return slices.Concat(homeScreens(), partnerScreens(), diligenceScreens(), paperScreens(), actScreens(), peopleScreens(), accessScreens(), incidentScreens(),
		partingScreens(), decisionScreens(), policyScreens(), logScreens(), evidenceScreens(), flowScreens(), systemScreens(), firmScreens(), helpScreens())
}

// section is a heading of the navigation and what stands below it.
type section struct {
	Label string
	Items []navItem
}

type navItem struct {
	Label, Href string
	Here        bool     // the page, or one below it, is shown
	Count       int      // how many wait for the visitor; 0: none is shown
	Also        []string // pages that belong to it and are not below it
}

// navigation is what the visitor finds on every page.
func navigation(v *visit) []section {
	var out []section
	if v.ours() {
		out = []section{
			{"", []navItem{{Label: "Today", Href: "/console", Count: len(v.s.waitsFor(v))}}},
			{"Partners", []navItem{{Label: "Vendors", Href: "/console/vendors"}, {Label: "Engagements", Href: "/console/engagements", Also: []string{"/console/grants", "/console/roles"}}, {Label: "Agreements", Href: "/console/agreements"}, {Label: "Diligence", Href: "/console/diligence", Also: []string{"/console/questionnaires", "/console/certifications"}}}},
			{"People and access", []navItem{{Label: "People", Href: "/console/people"}, {Label: "Training", Href: "/console/training"}, {Label: "Requests", Href: "/console/requests", Also: []string{"/console/elevations", "/console/emergencies"}}, {Label: "Reviews", Href: "/console/reviews"}}},
			{"When it goes wrong", []navItem{{Label: "Incidents", Href: "/console/incidents"}, {Label: "Holds", Href: "/console/holds"}, {Label: "Offboarding", Href: "/console/offboardings"}}},
			{"Data door", []navItem{{Label: "Decisions", Href: "/console/decisions", Also: []string{"/console/releases"}}, {Label: "Data flow", Href: "/console/flow"}, {Label: "Sources", Href: "/console/sources"}, {Label: "Policies", Href: "/console/policies"}}},
			{"System", []navItem{{Label: "Sessions and devices", Href: "/console/sessions", Also: []string{"/console/devices", "/console/apps", "/console/workloads", "/console/connectors"}}, {Label: "Keys", Href: "/console/keys"}, {Label: "Log and proofs", Href: "/console/log"}, {Label: "Health", Href: "/console/health"}}},
			{"Evidence", []navItem{{Label: "Search the record", Href: "/console/evidence"}}},
			{"Help", []navItem{{Label: "First steps", Href: "/console/start"}, {Label: "Words", Href: "/console/words"}, {Label: "Tour", Href: "/console/tour"}}},
		}
	} else {
		out = []section{
			{"", []navItem{{Label: "Where we stand", Href: "/console/my"}}},
			{"Your work", []navItem{{Label: "What you may use", Href: "/console/my/access", Also: []string{"/console/my/ask"}}, {Label: "How to connect", Href: "/console/my/connect"}, {Label: "Your activity", Href: "/console/my/activity"}, {Label: "Your training", Href: "/portal/course"}}},
			{"Your firm", []navItem{{Label: "Papers", Href: "/console/my/papers", Also: []string{"/console/my/certificates"}}, {Label: "Questionnaires", Href: "/console/my/questionnaires"}, {Label: "Team", Href: "/console/my/team"}, {Label: "Incidents", Href: "/console/my/incidents"}}},
			{"Help", []navItem{{Label: "Words", Href: "/console/words"}}},
		}
	}
	// The most exact entry is the one where the visitor is.
	path, best := v.URL.Path, ""
	for _, x := range out {
		for _, i := range x.Items {
			if (path == i.Href || strings.HasPrefix(path, i.Href+"/") && i.Href != "/console") && len(i.Href) > len(best) {
				best = i.Href
			}
			for _, also := range i.Also {
				if (path == also || strings.HasPrefix(path, also+"/")) && len(also) > len(best) {
					best = i.Href
				}
			}
		}
	}
	for _, x := range out {
		for i := range x.Items {
			x.Items[i].Here = x.Items[i].Href == best
		}
	}
	return out
}
