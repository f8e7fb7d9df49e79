package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/sallyport/sallyport/internal/yamldoc"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/problem"
)

type applyCmd struct {
	File   string `short:"f" help:"YAML documents, each with its record:; - is standard input." required:"" placeholder:"FILE"`
	DryRun bool   `help:"Print what would change, and change nothing."`
	Reason string `short:"m" help:"Why, in a sentence; never patient data."`
	JSON   bool   `name:"json" help:"Print JSON."`
	connection
}

// Run sends the documents and prints the diff.
func (c *applyCmd) Run(ctx context.Context) error {
	raw, err := readInput(c.File)
	if err != nil {
		return err
	}
	in := api.ApplyRequest{Reason: c.Reason, DryRun: c.DryRun}
	if in.Documents, err = readDocuments(raw); err != nil {
		return err
	}
	if in.Reason == "" && !in.DryRun {
		return problem.BadField("reason", "is missing", "Say why with -m, or look first with --dry-run")
	}
	var out api.Applied
	if err := c.call(ctx, http.MethodPost, "/v1/apply", in, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out)
	}
	fmt.Print(out.Text)
	if len(out.Done) > 0 {
		fmt.Printf("%d acts done; registry version %d\n", len(out.Done), out.Done[len(out.Done)-1].Version)
	}
	return nil
}

// readDocuments reads YAML documents: record, and the record's fields beside it.
func readDocuments(raw []byte) ([]api.Document, error) {
	var out []api.Document
	dec := yamldoc.Loose(raw)
	for {
		var doc map[string]any
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, problem.BadField("file", yamldoc.Explain(err), "Mend the line that is marked").Because(err)
		}
		if len(doc) == 0 {
			continue
		}
		record, _ := doc["record"].(string)
		if record == "" {
			return nil, problem.BadField(fmt.Sprintf("documents[%d].record", len(out)), "is missing", "Begin each document with record: vendor, agreement, engagement ...")
		}
		delete(doc, "record")
		fields, err := json.Marshal(doc)
		if err != nil {
			return nil, problem.BadField(fmt.Sprintf("documents[%d]", len(out)), "cannot be written as JSON", "Use text keys").Because(err)
		}
		out = append(out, api.Document{Record: record, Fields: fields})
	}
	if len(out) == 0 {
		return nil, problem.BadField("file", "holds no document", "Write at least one, beginning with record:")
	}
	return out, nil
}
