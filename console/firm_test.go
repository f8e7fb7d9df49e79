package console_test

import (
	"net/http"
	"testing"
)

// A vendor's person sees where their own firm stands.
func TestAFirmSeesWhereItStands(t *testing.T) {
	_, lin := signedIn(t)
	lin.get("/console").wants(http.StatusOK, "<h1>Where Northwind AI, Inc. stands</h1>", "Data is open", "In force", "First door: papers", "1 open")
	for _, path := range []string{"/console/my/papers", "/console/my/certificates", "/console/my/questionnaires", "/console/my/team", "/console/my/incidents", "/console/my/activity", "/console/my/activity/firm"} {
		lin.get(path).wants(http.StatusOK)
	}
}

// What a person may use, and how they ask for more.
func TestWhatAFirmMayUse(t *testing.T) {
	_, lin := signedIn(t)
	lin.get("/console/my/access").wants(http.StatusOK, "Every patient of the source", "DiagnosticReport", "Ask for it longer", "Open")
	lin.get("/console/my/ask").wants(http.StatusOK, "triage-eval", "role=triage-reader")
	lin.get("/console/my/ask?engagement=triage-eval&role=triage-reader&from=triage-grant").wants(http.StatusOK, "Fields of Patient", "birthDate", "its year", "Triage (triage)")
}
