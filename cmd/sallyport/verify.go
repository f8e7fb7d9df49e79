package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/problem"
)

// verifyCmd checks a log or a proof where nothing else is named.
type verifyCmd struct {
	Log   verifyLogCmd   `cmd:"" default:"withargs" help:"Check a log, its continuation or a proof offline."`
	Badge verifyBadgeCmd `cmd:"" help:"Check a badge of training offline."`
}

type verifyLogCmd struct {
	Path  string `arg:"" help:"A log's folder, or a proof file." type:"path"`
	Key   string `help:"The log's public key: a file (log.pub) or the key itself. Without it, log.pub beside the log's folder." placeholder:"KEY"`
	Since string `help:"A checkpoint that you kept: finds a log that was set back or forked since." placeholder:"FILE" type:"path"`
	Save  string `help:"Write the checkpoint here, to compare with the next time." placeholder:"FILE" type:"path"`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run checks offline: it opens no connection and needs no secret.
func (c *verifyLogCmd) Run() error {
	info, err := os.Stat(c.Path)
	if err != nil {
		return problem.BadField("path", c.Path+" cannot be read", "Name a log's folder (data/audit) or a proof file").Because(err)
	}
	key, err := c.key(info.IsDir())
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return c.proof(key)
	}
	dir := os.DirFS(c.Path)
	var report verify.Report
	if c.Since != "" {
		old, err := os.ReadFile(c.Since)
		if err != nil {
			return problem.BadField("since", c.Since+" cannot be read", "Name the checkpoint file that you kept").Because(err)
		}
		report, err = verify.Since(old, dir, key)
		if err != nil {
			return doesNotVerify(err)
		}
	} else if report, err = verify.Log(dir, key); err != nil {
		return doesNotVerify(err)
	}
	if c.Save != "" {
		if err := os.WriteFile(c.Save, report.Checkpoint, 0o644); err != nil {
			return unwritable("save", c.Save, err)
		}
	}
	if c.JSON {
		return printJSON(map[string]any{"origin": report.Origin, "size": report.Size, "root": report.Root.String(), "intents": report.Intents,
			"outcomes": report.Outcomes, "refusals": report.Refusals, "acts": report.Acts, "open": report.Open, "uncovered": report.Uncovered})
	}
	fmt.Printf("The log %s verifies.\n", report.Origin)
	fmt.Printf("  %d entries under the checkpoint, root %s\n", report.Size, report.Root)
	fmt.Printf("  %d acts, %d permitted (%d outcomes, %d open), %d refused\n", report.Acts, report.Intents, report.Outcomes, report.Open, report.Refusals)
	if report.Size > 0 {
		fmt.Printf("  from %s to %s\n", report.First.Format(time.RFC3339), report.Last.Format(time.RFC3339))
	}
	if report.Uncovered > 0 {
		fmt.Printf("  %d more in the journal, not yet covered by a checkpoint\n", report.Uncovered)
	}
	if c.Since == "" {
		fmt.Println("This shows that the log is whole and signed. That it is the same log as before shows only with --since and a checkpoint that you kept.")
	}
	return nil
}

func (c *verifyLogCmd) key(isDir bool) (note.Verifier, error) {
	text := c.Key
	if text == "" && isDir {
		text = filepath.Join(filepath.Dir(filepath.Clean(c.Path)), "log.pub")
	}
	if text == "" {
		return nil, problem.BadField("key", "is missing", "Give the log's public key: --key data/log.pub")
	}
	if raw, err := os.ReadFile(text); err == nil {
		text = string(raw)
	} else if c.Key == "" {
		return nil, problem.BadField("key", "is missing, and there is no "+text, "Give the log's public key: --key log.pub").Because(err)
	}
	v, err := note.NewVerifier(strings.TrimSpace(text))
	if err != nil {
		return nil, problem.BadField("key", "is not a log's public key", "Give log.pub, or its one line").Because(err)
	}
	return v, nil
}

func (c *verifyLogCmd) proof(key note.Verifier) error {
	raw, err := os.ReadFile(c.Path)
	if err != nil {
		return problem.BadField("path", c.Path+" cannot be read", "Check its permissions").Because(err)
	}
	p, err := verify.Proof(raw, key)
	if err != nil {
		return doesNotVerify(err)
	}
	fmt.Printf("Entry %d is in the log %s (of %d entries).\n%s\n", p.Index, p.Origin, p.Size, p.Entry)
	return nil
}

func doesNotVerify(err error) error {
	return problem.New(problem.Invalid, "It does NOT verify: "+err.Error(),
		"Keep a copy as it is, compare it with the checkpoints that others hold, and tell the security officer").Because(err)
}
