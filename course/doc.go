// Package course is the product's HIPAA course for people who work with AI on patient
// data: lessons, exercises, drills, questions, how they are drawn and marked, the
// conduct rules, the certificate and the badge; and what counts as training.
//
// It is pure: no input or output, no clock, no randomness. An attempt is a seed and
// what was answered, so the registry can mark it from its own record, and anybody can
// mark it again.
//
// The law behind it: a covered entity trains its own workforce (45 CFR 164.530(b)), both
// covered entity and business associate run security awareness and training (45 CFR
// 164.308(a)(5)), and Texas trains within 90 days of hire (Tex. Health & Safety Code
// 181.101). HIPAA sets no hours, no interval and no pass mark: such numbers are policy,
// and are called so wherever they are shown.
package course

import (
	"slices"
	"time"
)

// The product's own course, as completions name it.
const (
	Name    = "hipaa-for-ai-teams"
	Edition = "2026" // raised when the course changes so that older completions could be missing something
	Title   = "HIPAA for AI teams"
)

// Policy: HIPAA sets none of these.
const (
	DefaultRefresh = 365 * 24 * time.Hour // how long a completion counts where the organisation did not say
	Drawn          = 20                   // questions in an attempt
	MaxTries       = 3                    // attempts that ended without a pass in TriesWithin, then a pause
	TriesWithin    = 24 * time.Hour
)

// A Module is a part of the syllabus.
type Module struct {
	ID      string
	Title   string
	Minutes int
	Goals   []string
}

// Modules is the syllabus.
var Modules = []Module{
	{"M1", "Roles and permission", 45, []string{
		"Tell covered entity, business associate, subcontractor and workforce apart",
		"Explain why an agreement must be in force before any patient data moves",
		"Read a purpose table, and say what is not permitted where the contract is silent",
		"Spot a sale of patient data, and aggregation across customers"}},
	{"M2", "Using patient data rightly", 45, []string{
		"Apply minimum necessary to queries, samples and tickets",
		"Recognise a request for whole records",
		"Separate operations from research",
		"Recognise psychotherapy notes, substance use disorder records, genetic data for underwriting, and restrictions"}},
	{"M3", "De-identification and limited data sets", 60, []string{
		"Apply the 18 identifiers, and the rules for ages over 89, ZIP codes and dates",
		"Say why a hashed record number and shifted dates are not Safe Harbor",
		"Tell Safe Harbor, Expert Determination, limited data set and synthetic data apart",
		"Refuse to re-identify, and know what to do on recognising somebody by accident"}},
	{"M4", "Privacy by design for AI", 75, []string{
		"Find patient data in prompts, completions, indexes, caches, embeddings, weights, logs, traces, notebooks and git",
		"Keep it out of screenshots, the clipboard and personal AI tools",
		"Give each agent its own identity, and treat retrieved text as data, not as orders",
		"Decide on addressable safeguards, and on access from abroad"}},
	{"M5", "Recognising and reporting", 45, []string{
		"Recognise an impermissible use, a security incident, a presumed breach",
		"Stop, contain, preserve, report; do not investigate alone, do not delete",
		"Say when the clock starts, and who is told by when"}},
	{"M6", "Records, exit and accountability", 30, []string{
		"Leave the evidence that six-year documentation needs",
		"Return or destroy every form at the end, and know what a certificate says",
		"Know who is liable, and which State law adds to it"}},
}

// ModuleOf finds a module by id.
func ModuleOf(id string) (Module, bool) {
	for _, m := range Modules {
		if m.ID == id {
			return m, true
		}
	}
	return Module{}, false
}

// A Track is what a person does, and so what they must know.
type Track struct {
	ID       string
	Title    string
	Modules  []string
	Short    []string // of Modules: a shorter form will do
	Exercise string
}

// AllTracks stands in lessons and questions for every track.
const AllTracks = "ALL"

// Tracks lists the role tracks.
var Tracks = []Track{
	{"DS", "Data scientist", []string{"M1", "M2", "M3", "M4", "M5", "M6"}, []string{"M6"},
		"Cut a request for 40 columns to the minimum; de-identify 50 synthetic notes and measure the misses"},
	{"MLE", "Machine learning engineer", []string{"M1", "M2", "M3", "M4", "M5", "M6"}, nil,
		"Find patient data in a seeded trace store, checkpoint and vector index; write the deletion plan"},
	{"ANN", "Annotator", []string{"M1", "M2", "M3", "M4", "M5"}, []string{"M4"},
		"Three notes with a famous patient; clean desk and screen at home"},
	{"SUP", "Support", []string{"M1", "M2", "M4", "M5"}, []string{"M4"},
		"Handle a ticket with a chart pasted in; a remote session with a screen scope"},
	{"EXE", "Executive", []string{"M1", "M2", "M5", "M6"}, []string{"M2"},
		"Decide in 30 minutes: a vendor pattern alert, cure notice or cut-off; who notifies whom by when"},
}

// Base are the modules that everybody needs, whatever their track.
var Base = []string{"M1", "M2", "M5"}

// TrackOf finds a track by id.
func TrackOf(id string) (Track, bool) {
	for _, t := range Tracks {
		if t.ID == id {
			return t, true
		}
	}
	return Track{}, false
}

// TrackIDs are the ids of the tracks.
func TrackIDs() []string {
	var out []string
	for _, t := range Tracks {
		out = append(out, t.ID)
	}
	return out
}

// For says whether something that names tracks is for the track.
func For(tracks []string, track string) bool {
	return slices.Contains(tracks, AllTracks) || slices.Contains(tracks, track)
}

// Rules are the conduct rules that a person attests at the end, in order from 1.
var Rules = []string{
	"I open patient data only for the purpose that is shown on my grant.",
	"I use no personal AI tools, take no screenshots, keep no local notebooks and make no copies.",
	"I do not try to identify anyone, and I do not link data to find out who somebody is.",
	"I report any suspicion at once, before I try to repair anything.",
	"I do not delete evidence.",
	"I tell my lead when I leave or change my role.",
	"I have read the project's purpose table and its exit plan.",
}

// AllRules are the numbers of every rule.
func AllRules() []int {
	out := make([]int, len(Rules))
	for i := range out {
		out[i] = i + 1
	}
	return out
}
