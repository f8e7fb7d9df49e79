package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/server"
)

// deidRevealCmd reads codes from a file or standard input: what is asked about a
// patient does not belong in the shell's history either.
type deidRevealCmd struct {
	Engagement id.Engagement `required:"" help:"The engagement that the codes are of." placeholder:"ID"`
	Reason     string        `short:"m" help:"Why, in a sentence; never patient data." required:""`
	File       string        `arg:"" optional:"" default:"-" help:"Codes, one a line; - is standard input."`
	connection
}

// maxCode is the longest code: a FHIR id.
const maxCode = 64

// Run asks for the ids, and prints one a line, in the order of the codes.
func (c *deidRevealCmd) Run(ctx context.Context) error {
	raw, err := readInput(c.File)
	if err != nil {
		return err
	}
	var codes []string
	line := 0
	for text := range strings.Lines(strings.TrimPrefix(string(raw), "\ufeff")) {
		line++
		code := strings.TrimSpace(text)
		if code == "" {
			continue
		}
		if len(code) > maxCode || strings.ContainsFunc(code, func(r rune) bool { return r > 0x7f || !alphanumeric(byte(r)) && r != '-' && r != '.' }) {
			return problem.BadField(fmt.Sprintf("line %d", line), "is not a code", `Write one bare code a line, as the vendor has it, without "Patient/"`)
		}
		codes = append(codes, code)
	}
	if len(codes) == 0 {
		return problem.BadField("file", "names no code", "Write one a line")
	}
	fmt.Fprintln(os.Stderr, "What follows on standard output is patient data. Each code that is revealed is an act in the log, with your name and reason.")
	hashed := 0
	for at := 0; at < len(codes); at += patientsAtATime {
		var out struct {
			IDs []string `json:"ids"`
		}
		part := codes[at:min(at+patientsAtATime, len(codes))]
		err := c.call(ctx, http.MethodPost, "/v1/custody/reveal", map[string]any{"engagement": c.Engagement, "codes": part, "reason": c.Reason}, &out)
		if err != nil {
			if at > 0 {
				fmt.Fprintf(os.Stderr, "The first %d codes are done; ask for the others alone.\n", at)
			}
			return err
		}
		if len(out.IDs) != len(part) {
			return problem.New(problem.UpstreamFail, "The server gave not one id for each code", "Ask for fewer at a time, and tell the operator")
		}
		for _, s := range out.IDs {
			plain, ok := server.PlainID(s)
			if !ok {
				hashed++
			}
			fmt.Println(plain)
		}
	}
	if hashed > 0 {
		fmt.Fprintf(os.Stderr, "Of %d ids only a keyed hash was kept (h..): they were too long for the vault.\n", hashed)
	}
	return nil
}
