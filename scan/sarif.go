package scan

import (
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
)

// The parts of SARIF 2.1.0 (OASIS, 2020) that a report needs, by its sections.
type (
	sarifLog struct { // 3.13
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct { // 3.14
		Tool        sarifTool             `json:"tool"`
		ColumnKind  string                `json:"columnKind"`
		Invocations []sarifInvocation     `json:"invocations"`
		Results     []sarifResult         `json:"results"`
		Bases       map[string]sarifPlace `json:"originalUriBaseIds"`
	}
	sarifTool struct { // 3.18
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct { // 3.19
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Info    string      `json:"informationUri"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct { // 3.49
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
		Help  sarifText `json:"help"`
	}
	sarifText struct { // 3.11, 3.12
		Text string `json:"text"`
	}
	sarifInvocation struct { // 3.20
		Successful    bool          `json:"executionSuccessful"`
		Notifications []sarifNotice `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotice struct { // 3.58
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifResult struct { // 3.27
		RuleID      string            `json:"ruleId"`
		RuleIndex   int               `json:"ruleIndex"`
		Level       string            `json:"level"`
		Message     sarifText         `json:"message"`
		Locations   []sarifLocation   `json:"locations"`
		Prints      map[string]string `json:"partialFingerprints"`
		Occurrences int               `json:"occurrenceCount"`
		Rank        float64           `json:"rank"` // 3.27.25: from 0 to 100
		Properties  map[string]any    `json:"properties,omitempty"`
	}
	sarifLocation struct { // 3.28
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct { // 3.29
		Artifact sarifPlace   `json:"artifactLocation"`
		Region   *sarifRegion `json:"region,omitempty"`
	}
	sarifPlace struct { // 3.4
		URI  string `json:"uri,omitempty"`
		Base string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct { // 3.30
		Line   int `json:"startLine"`
		Column int `json:"startColumn"`
	}
)

// sarifBase stands for the folder that paths count from (3.14.14). Where that
// is on the machine is nobody's business.
const sarifBase = "SRCROOT"

// WriteSARIF writes the report as SARIF 2.1.0. version is of the program.
func (rep *Report) WriteSARIF(w io.Writer, version string) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{Name: "sallyport scan", Version: version, Info: "https://github.com/sallyport/sallyport", Rules: []sarifRule{}}}, ColumnKind: "unicodeCodePoints",
		Results:     []sarifResult{},
		Invocations: []sarifInvocation{{Successful: len(rep.Failed) == 0}},
		Bases:       map[string]sarifPlace{sarifBase: {}},
	}
	words := categories()
	for _, c := range words {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: c, Short: sarifText{"Patient data: " + c},
			Help: sarifText{strings.TrimSpace("Take the data out, also of the history, or except the place in " + AllowName + " with a reason. " + citation(c))},
		})
	}
	for _, f := range rep.Findings {
		props := map[string]any{"confidence": f.Confidence}
		if f.Cell > 0 {
			props["cell"] = f.Cell
		}
		if f.Blob != "" {
			props["blob"] = f.Blob
		}
		prints := map[string]string{"sallyportPlace/v1": f.Fingerprint}
		if f.Value != "" {
			prints["sallyportValue/v1"] = f.Value
		}
		level := "warning"
		if f.Confidence >= .85 {
			level = "error"
		}
		message := f.Category + " " + f.Excerpt
		if f.Place != "" {
			message += " [" + f.Place + "]"
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: f.Category, RuleIndex: slices.Index(words, f.Category), Level: level, Message: sarifText{message + ": " + f.Reason},
			Locations: []sarifLocation{{sarifPhysical{Artifact: place(f.rel), Region: &sarifRegion{f.Line, f.Column}}}},
			Prints:    prints, Occurrences: f.Count, Rank: f.Confidence * 100, Properties: props,
		})
	}
	for _, x := range rep.Failed {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications,
			sarifNotice{Level: "error", Message: sarifText{x.Why}, Locations: []sarifLocation{{sarifPhysical{Artifact: place(x.Path)}}}})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(sarifLog{Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// place is a path as a URI: relative to the base, absolute where it is.
func place(p string) sarifPlace {
	u := url.URL{Path: p}
	if strings.HasPrefix(p, "/") {
		u.Scheme = "file"
		return sarifPlace{URI: u.String()}
	}
	return sarifPlace{URI: u.String(), Base: sarifBase}
}
