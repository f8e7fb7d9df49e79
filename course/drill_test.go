package course_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/scan"
)

// What the drill plants is what `sallyport scan` finds, cell by cell, whatever the seed;
// and the answer in each drill's file is the one that its files give.
func TestDrillsAreSolvedByScanning(t *testing.T) {
	seeds := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for _, d := range course.Current().Drills {
		if d.Check.Kind == "count" {
			seeds = append(seeds, d.ID)
			if !d.Check.Right(course.Drill(d.ID).Answer) {
				t.Errorf("the answer of %s is not the one of its files: want the digest %s", d.ID, course.AnswerDigest(course.Drill(d.ID).Answer))
			}
		}
	}
	answers := map[string]bool{}
	for _, seed := range seeds {
		made := course.Drill(seed)
		answers[made.Answer] = true
		dir := t.TempDir()
		for i, f := range made.Files {
			if !bytes.Equal(f.Content, course.Drill(seed).Files[i].Content) {
				t.Fatal("the same seed gives other files")
			}
			if err := os.WriteFile(filepath.Join(dir, f.Name), f.Content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := scan.New(scan.Options{Now: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		rep, err := s.Paths(t.Context(), []string{dir})
		if err != nil || len(rep.Failed) > 0 {
			t.Fatal(err, rep)
		}
		cells := map[int]bool{}
		for _, f := range rep.Findings {
			if !strings.HasSuffix(f.Path, "triage.ipynb") || f.Cell == 0 {
				t.Errorf("%s: found in %s, cell %d", seed, f.Path, f.Cell)
			}
			cells[f.Cell] = true
		}
		if fmt.Sprint(len(cells)) != made.Answer {
			t.Errorf("%s: %d cells are found, and the answer is %s", seed, len(cells), made.Answer)
		}
	}
	if len(answers) < 2 {
		t.Error("the answer is the same for every seed")
	}
}
