package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// fetched is a file that the API makes.
func (c connection) fetched(ctx context.Context, path string) ([]byte, error) {
	var raw []byte
	err := c.call(ctx, http.MethodGet, path, nil, &raw)
	return raw, err
}

// put writes a file, or prints it where none is named.
func put(out string, raw []byte) error {
	if out == "" {
		_, err := os.Stdout.Write(raw)
		return err
	}
	if err := os.WriteFile(out, raw, 0o600); err != nil {
		return unwritable("out", out, err)
	}
	fmt.Println("Written: " + out)
	return nil
}

type trainingCertificateCmd struct {
	ID  string `arg:"" help:"The completion."`
	Out string `short:"o" help:"Where to write the PDF." required:"" placeholder:"FILE" type:"path"`
	connection
}

// Run writes the certificate.
func (c *trainingCertificateCmd) Run(ctx context.Context) error {
	raw, err := c.fetched(ctx, "/v1/trainings/"+url.PathEscape(c.ID)+"/certificate")
	if err != nil {
		return err
	}
	return put(c.Out, raw)
}

type trainingBadgeCmd struct {
	ID  string `arg:"" help:"The completion."`
	Out string `short:"o" help:"Write the badge here instead of printing it." placeholder:"FILE" type:"path"`
	connection
}

// Run prints the badge.
func (c *trainingBadgeCmd) Run(ctx context.Context) error {
	raw, err := c.fetched(ctx, "/v1/trainings/"+url.PathEscape(c.ID)+"/badge")
	if err != nil {
		return err
	}
	return put(c.Out, raw)
}

type trainingExportCmd struct {
	Format string `help:"csv, or xapi: statements in JSON." enum:"csv,xapi" default:"csv"`
	Out    string `short:"o" help:"Write here instead of printing." placeholder:"FILE" type:"path"`
	connection
}

// Run prints every completion.
func (c *trainingExportCmd) Run(ctx context.Context) error {
	raw, err := c.fetched(ctx, "/v1/training-export?format="+c.Format)
	if err != nil {
		return err
	}
	return put(c.Out, raw)
}

type trainingImportCmd struct {
	File    string `arg:"" help:"The file: CSV, or xAPI statements in JSON."`
	Preview bool   `help:"Only say what the file holds and what is wrong in it."`
	Reason  string `short:"m" help:"Why, in a sentence; not needed for a preview."`
	Key     string `name:"idempotency-key" help:"Makes a repetition harmless." placeholder:"KEY"`
	connection
}

// Run looks at the file, and records all of it or nothing.
func (c *trainingImportCmd) Run(ctx context.Context) error {
	if !c.Preview && c.Reason == "" {
		return problem.BadField("reason", "is missing", "Say why: -m REASON; or only look: --preview")
	}
	raw, err := readInput(c.File)
	if err != nil {
		return err
	}
	file := api.TrainingFile{Format: "csv", Content: raw}
	if strings.EqualFold(filepath.Ext(c.File), ".json") {
		file.Format = "xapi"
	}
	var told course.Told
	if err := c.call(ctx, http.MethodPost, "/v1/training-preview", file, &told); err != nil {
		return err
	}
	for _, w := range told.Wrong {
		fmt.Fprintln(os.Stderr, c.File+", "+w.String())
	}
	if len(told.Wrong) > 0 {
		return problem.New(problem.Invalid, "Nothing was recorded", "Mend the lines above, and import the whole file again")
	}
	for _, x := range told.Completions {
		fmt.Printf("%s  %s %s  %.2f  %s\n", x.Person, x.Course, x.Version, x.Score, x.CompletedAt.Format(time.DateOnly))
	}
	fmt.Printf("%d completions; %d are recorded already, %d lines say nothing of a completion\n", len(told.Completions), len(told.Known), told.Left)
	if c.Preview || len(told.Completions) == 0 {
		return nil
	}
	act, err := json.Marshal(registry.ImportTrainings{Completions: told.Completions})
	if err != nil {
		return err
	}
	var header []string
	if c.Key != "" {
		header = []string{api.IdempotencyHeader, c.Key}
	}
	var done api.ActResult
	spec, _ := registry.Lookup("training.import")
	if err := c.call(ctx, http.MethodPost, spec.Path, api.ActBody{Reason: c.Reason, Act: act}, &done, header...); err != nil {
		return err
	}
	fmt.Printf("%s: done, entry %d of log %s, registry version %d\n", done.Kind, done.LogIndex, done.Log, done.Version)
	return nil
}

type trainingDrillCmd struct {
	ID  string `arg:"" help:"The drill, as the course calls it."`
	Out string `short:"o" help:"A new folder for its files." required:"" placeholder:"DIR" type:"path"`
}

// Run writes a drill's files. All in them is invented. It needs no server.
func (c *trainingDrillCmd) Run() error {
	var names []string
	for _, d := range course.Current().Drills {
		names = append(names, d.ID)
	}
	if _, ok := course.Current().Drill(c.ID); !ok {
		return problem.BadField("id", "there is no drill "+c.ID, "Use one of "+strings.Join(names, ", "))
	}
	if err := os.Mkdir(c.Out, 0o700); err != nil {
		return problem.BadField("out", c.Out+" cannot be made, or is there", "Name a new folder").Because(err)
	}
	for _, f := range course.Drill(c.ID).Files {
		if err := os.WriteFile(filepath.Join(c.Out, f.Name), f.Content, 0o600); err != nil {
			return unwritable("out", f.Name, err)
		}
		fmt.Println("Written: " + filepath.Join(c.Out, f.Name))
	}
	return nil
}

type verifyBadgeCmd struct {
	File    string `arg:"" help:"The badge: a JWT." type:"path"`
	Keys    string `help:"The issuer's keys, a JWK Set that you took from it." required:"" placeholder:"FILE" type:"path"`
	Revoked string `help:"The issuer's signed list of revoked badges. Without it, whether it was revoked is not known." placeholder:"FILE" type:"path"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Run checks a badge offline.
func (c *verifyBadgeCmd) Run(now clock) error {
	token, err := readInput(c.File)
	if err != nil {
		return err
	}
	keys, err := readInput(c.Keys)
	if err != nil {
		return err
	}
	var list []byte
	if c.Revoked != "" {
		if list, err = readInput(c.Revoked); err != nil {
			return err
		}
		if strings.TrimSpace(string(list)) == "" {
			return problem.BadField("revoked", "is empty", "Take the list from the issuer: "+course.RevocationsPath)
		}
	}
	got, err := course.VerifyBadge(string(token), keys, string(list), now())
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(got)
	}
	fmt.Printf("The badge verifies.\n  %s, version %s\n  for %s\n  by %s (%s), key %s\n  counts until %s\n", got.Name, got.Subject.Achievement.Version, got.Subject.ID,
		got.Issuer.Name, got.Issuer.ID, got.KeyID, got.ValidUntil.Format(time.DateOnly))
	if got.Listed {
		fmt.Printf("  not revoked, by a list that is %s old\n", got.ListAge.Round(time.Minute))
	} else {
		fmt.Println("  Whether it was revoked is not known: no list was given (--revoked FILE).")
	}
	fmt.Println("Whose keys these are, you know from where you took them.")
	return nil
}
