package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/problem"
)

// patientCmd and cohortCmd speak to custody, which is told patients' ids. They
// read ids from a file or standard input and never from the command line, where
// the shell's history and the list of processes would keep them.
type patientCmd struct {
	Hold    holdCmd    `cmd:"" help:"Hold back the data of patients who said no: nothing of them is released."`
	Release releaseCmd `cmd:"" help:"End the hold on patients' data."`

	Affected affectedCmd `cmd:"" help:"Be given the patients of an incident, for the notices, once another person approved the list."`
}

type cohortCmd struct {
	Define defineCmd `cmd:"" help:"Define a cohort by a list of patients; it never changes."`
}

type patientList struct {
	Source string `required:"" help:"The source whose ids these are." placeholder:"ID"`
	Reason string `short:"m" help:"Why, in a sentence; never patient data." required:""`
	File   string `arg:"" optional:"" default:"-" help:"Ids at the source, one a line; - is standard input."`
	connection
}

type holdCmd struct {
	Kind string `required:"" enum:"restriction,opt-out" help:"restriction (agreed with the patient, 45 CFR 164.522(a)) or opt-out."`
	patientList
}

type releaseCmd struct {
	Kind string `required:"" enum:"restriction,opt-out" help:"restriction or opt-out; a patient may be on both holds."`
	patientList
}

type defineCmd struct {
	Ref string `arg:"" help:"The cohort's name; say what it is for, and name no patient."`
	patientList
}

// custodyAnswer is what custody says was done.
type custodyAnswer struct {
	Patients  int    `json:"patients"`
	Unchanged int    `json:"unchanged"`
	Digest    string `json:"digest_sha256"`
	Act       string `json:"act"`
}

// patientsAtATime is how many patients one request may hold or release.
const patientsAtATime = 100

// Run puts them on hold.
func (c *holdCmd) Run(ctx context.Context) error {
	return c.each(ctx, "hold", c.Kind, "on hold ("+c.Kind+") from now on", "were already")
}

// Run releases them.
func (c *releaseCmd) Run(ctx context.Context) error {
	return c.each(ctx, "release", c.Kind, "no longer on hold ("+c.Kind+")", "were not on this hold")
}

func (l *patientList) each(ctx context.Context, verb, kind, done, unchanged string) error {
	ids, err := l.ids()
	if err != nil {
		return err
	}
	var sum custodyAnswer
	for at := 0; at < len(ids); at += patientsAtATime {
		var out custodyAnswer
		err := l.call(ctx, http.MethodPost, "/v1/custody/"+verb, map[string]any{
			"source": l.Source, "kind": kind, "reason": l.Reason, "patients": ids[at:min(at+patientsAtATime, len(ids))]}, &out)
		if err != nil {
			if at > 0 {
				fmt.Printf("The first %d lines are done. Run it again when mended: what is done is left as it is.\n", at)
			}
			return err
		}
		sum.Patients, sum.Unchanged = sum.Patients+out.Patients, sum.Unchanged+out.Unchanged
	}
	fmt.Printf("%d patients of %s: %s.\n", sum.Patients, l.Source, done)
	if sum.Unchanged > 0 {
		fmt.Printf("%d %s.\n", sum.Unchanged, unchanged)
	}
	return nil
}

// Run defines the cohort, and prints what a grant names.
func (c *defineCmd) Run(ctx context.Context) error {
	ids, err := c.ids()
	if err != nil {
		return err
	}
	var out custodyAnswer
	err = c.call(ctx, http.MethodPost, "/v1/custody/cohort",
		map[string]any{"ref": c.Ref, "source": c.Source, "reason": c.Reason, "patients": ids}, &out)
	if err != nil {
		return err
	}
	fmt.Printf("%d patients of %s are the cohort %s. In the grant:\n\ncohort: {kind: list, ref: %s, digest_sha256: %s}\n", out.Patients, c.Source, c.Ref, c.Ref, out.Digest)
	return nil
}

// ids reads one id a line. What is wrong is named by its line and not quoted.
func (l *patientList) ids() ([]string, error) {
	raw, err := readInput(l.File)
	if err != nil {
		return nil, err
	}
	var out []string
	line := 0
	for text := range strings.Lines(string(bytes.TrimPrefix(raw, []byte("\ufeff")))) {
		line++
		patient := strings.TrimSpace(text)
		if patient == "" {
			continue
		}
		if len(patient) > 64 || strings.ContainsFunc(patient, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '.')
		}) {
			return nil, problem.BadField(fmt.Sprintf("line %d", line), "is not a FHIR id", `Write one bare id a line, without "Patient/"`)
		}
		out = append(out, patient)
	}
	if len(out) == 0 {
		return nil, problem.BadField("file", "names no patient", "Write one id a line")
	}
	return out, nil
}
