package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/bench/site"
	"github.com/sallyport/sallyport/id"
)

const origin = "soak-1"

// keys are a log's.
type keys struct {
	signer   note.Signer
	verifier note.Verifier
	private  string
	public   string
}

func newKeys() (keys, error) {
	private, public, err := note.GenerateKey(nil, origin)
	if err != nil {
		return keys{}, err
	}
	return openKeys(private, public)
}

func openKeys(private, public string) (k keys, err error) {
	k.private, k.public = private, public
	if k.signer, err = note.NewSigner(private); err != nil {
		return k, err
	}
	k.verifier, err = note.NewVerifier(public)
	return k, err
}

// LoggerConfig is the process that only writes.
type LoggerConfig struct {
	Dir             string
	Private, Public string
	Writers         int
}

// writeUntilKilled prints "begun", and then each release that its receipt
// covers, as its decision's id: what a gateway would have sent by then.
func writeUntilKilled(c LoggerConfig) error {
	k, err := openKeys(c.Private, c.Public)
	if err != nil {
		return err
	}
	l, err := audit.Open(audit.Options{Dir: c.Dir, Origin: origin, Signer: k.signer, Verifier: k.verifier, Now: time.Now, Interval: 50 * time.Millisecond})
	if err != nil {
		return err
	}
	fmt.Println("begun")
	ctx := context.Background()
	failed := make(chan error, c.Writers)
	for range c.Writers {
		go func() {
			for {
				d, err := release(ctx, l)
				if err != nil {
					failed <- err
					return
				}
				if _, err := os.Stdout.WriteString(string(d) + "\n"); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return errors.Join(<-failed, l.Close())
}

// release goes from intent to receipt.
func release(ctx context.Context, l *audit.Log) (id.Decision, error) {
	in := site.Intent(time.Now())
	t, err := l.Intend(ctx, in)
	if err != nil {
		return "", err
	}
	body := []byte(in.Decision)
	o := site.Outcome(time.Now(), body)
	r, err := t.Complete(ctx, o)
	if err != nil {
		return "", err
	}
	if !r.Covers(o.Digest, o.Bytes) {
		return "", errors.New("a receipt does not cover its bytes")
	}
	return in.Decision, nil
}

// killedLog kills the writer and looks for every release that it announced.
func killedLog(ctx context.Context, s *soak) (string, error) {
	dir := filepath.Join(s.dir, "log")
	k, err := newKeys()
	if err != nil {
		return "", err
	}
	announced, torn, entries := 0, 0, uint64(0)
	summary := func() string {
		return fmt.Sprintf("%d rounds, %d entries, %d releases announced, each in the log; %d unfinished writes cut off", s.rounds, entries, announced, torn)
	}
	var checkpoint []byte
	for round := range s.rounds {
		if ctx.Err() != nil {
			return summary(), ctx.Err()
		}
		// A new log now and then: short ones have other edges than long ones.
		if round%25 == 0 {
			dir, checkpoint = filepath.Join(s.dir, fmt.Sprintf("log-%d", round)), nil
		}
		said, err := s.writeAndKill(dir, k)
		if err != nil {
			return summary(), fmt.Errorf("round %d: %w", round, err)
		}
		// What the kill left must verify as it is: a reader need not wait.
		report, err := verify.Log(os.DirFS(dir), k.verifier)
		if err != nil {
			return summary(), fmt.Errorf("round %d, before the log is opened: %w", round, err)
		}
		if report.Torn > 0 {
			torn++
		}
		l, err := audit.Open(audit.Options{Dir: dir, Origin: origin, Signer: k.signer, Verifier: k.verifier, Now: s.now})
		if err != nil {
			return summary(), fmt.Errorf("round %d: %w", round, err)
		}
		err = covered(ctx, l, said)
		entries += l.Size()
		if err := errors.Join(err, l.Close()); err != nil {
			return summary(), fmt.Errorf("round %d: %w", round, err)
		}
		announced += len(said)
		if report, err = checked(dir, k, checkpoint); err != nil {
			return summary(), fmt.Errorf("round %d: %w", round, err)
		}
		checkpoint = report.Checkpoint
		if s.verbose {
			fmt.Printf("  log %d: %d announced, %d entries\n", round, len(said), report.Size)
		}
	}
	return summary(), nil
}

// checked verifies a log and that it continues what was there before.
func checked(dir string, k keys, since []byte) (verify.Report, error) {
	if since == nil {
		return verify.Log(os.DirFS(dir), k.verifier)
	}
	return verify.Since(since, os.DirFS(dir), k.verifier)
}

// covered looks for an intent and a released outcome of each decision.
func covered(ctx context.Context, l *audit.Log, said []id.Decision) error {
	for _, d := range said {
		entries, err := l.Decision(ctx, d)
		if err != nil {
			return err
		}
		var intent, outcome bool
		for _, e := range entries {
			intent = intent || e.Intent != nil
			outcome = outcome || e.Outcome != nil && e.Outcome.Result == audit.Released && e.Outcome.Digest == sha256.Sum256([]byte(d))
		}
		if !intent || !outcome {
			return fmt.Errorf("decision %s was announced and is not whole in the log (intent %v, outcome %v)", d, intent, outcome)
		}
	}
	return nil
}

func (s *soak) writeAndKill(dir string, k keys) ([]id.Decision, error) {
	var begun string
	p, err := site.StartRaw(s.dir, "logger", "logger", LoggerConfig{Dir: dir, Private: k.private, Public: k.public, Writers: 1 + s.rand.IntN(32)})
	if err != nil {
		return nil, err
	}
	if begun, err = p.Line(30 * time.Second); err != nil || begun != "begun" {
		p.Kill()
		return nil, fmt.Errorf("the writer did not begin: %q: %w", begun, err)
	}
	var said []id.Decision
	var read sync.WaitGroup
	read.Go(func() {
		for lines := bufio.NewScanner(p.Output()); lines.Scan(); {
			// A kill may leave half a line: that release was not announced.
			if d := strings.TrimSpace(lines.Text()); len(d) == len(id.New[id.Decision](time.Now())) {
				said = append(said, id.Decision(d))
			}
		}
	})
	time.Sleep(s.between(0, 120*time.Millisecond))
	p.Kill()
	read.Wait()
	return said, nil
}
