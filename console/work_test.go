package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/problem"
)

func workVisit(s *server) *visit {
	return &visit{Request: httptest.NewRequest("GET", "/console", nil), Now: s.Now(), s: s}
}

func atWork(t *testing.T) (*server, context.CancelFunc) {
	t.Helper()
	s := &server{Config: Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler)}}
	s.work = newWork(s)
	ctx, cancel := context.WithCancel(t.Context())
	go s.work.run(ctx)
	return s, cancel
}

// What is quick is there at once; what is slow goes on without its page, is told when it
// is done, and is kept while it took long to make, whatever changes.
func TestWorkOutlivesItsPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := atWork(t)
		defer stop()
		made := 0
		slow := func(takes time.Duration) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) {
				time.Sleep(takes)
				made++
				return made, ctx.Err()
			}
		}
		ask := func(key, stamp string, takes time.Duration) worked[int] {
			t.Helper()
			got, err := workOut(workVisit(s), key, stamp, slow(takes))
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := ask("quick", "1", time.Millisecond); !got.Known || got.Answer != 1 || got.Busy {
			t.Errorf("quick: got %+v", got)
		}
		more := s.work.More()
		if got := ask("slow", "1", time.Second); got.Known || !got.Busy {
			t.Errorf("slow, at first: got %+v", got)
		}
		if got := ask("slow", "1", time.Second); got.Known || !got.Busy {
			t.Errorf("slow, asked again while it is made: got %+v", got)
		}
		<-more
		if got := ask("slow", "1", time.Second); !got.Known || got.Answer != 2 || got.Busy {
			t.Errorf("slow, done: got %+v", got)
		}
		if got := ask("slow", "2", time.Second); got.Answer != 2 || got.Busy {
			t.Errorf("something changed, and the answer took long and is fresh: got %+v", got)
		}
		time.Sleep(workRest * time.Second)
		if got := ask("slow", "2", time.Second); got.Answer != 2 || !got.Busy {
			t.Errorf("the older while the newer is made: got %+v", got)
		}
		time.Sleep(time.Second)
		if got := ask("slow", "2", time.Second); got.Answer != 3 || got.Busy {
			t.Errorf("the newer: got %+v", got)
		}
		stop()
		synctest.Wait()
	})
}

// What failed says so once and is tried again; what nobody asks for is forgotten; what
// waits is bounded.
func TestWorkIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := atWork(t)
		defer stop()
		fails := errors.New("no disk")
		if _, err := workOut(workVisit(s), "x", "1", func(context.Context) (int, error) { return 0, fails }); !errors.Is(err, fails) {
			t.Errorf("got %v, want that it failed", err)
		}
		if got, err := workOut(workVisit(s), "x", "1", func(context.Context) (int, error) { return 7, nil }); err != nil || got.Answer != 7 {
			t.Errorf("tried again: got %+v, %v", got, err)
		}
		for n := range 3 * workKept {
			if _, err := workOut(workVisit(s), fmt.Sprint(n), "1", func(context.Context) (int, error) { return n, nil }); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(s.work.jobs); n > workKept {
			t.Errorf("%d answers are kept, want %d at most", n, workKept)
		}
		full := 0
		for n := range 2 * (workWaits + workTurns) {
			got, err := workOut(workVisit(s), fmt.Sprint("long ", n), "1", func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
			if err != nil {
				t.Fatal(err)
			}
			if got.Full {
				full++
			}
		}
		if want := workWaits + workTurns; full != want {
			t.Errorf("%d found no turn, want %d", full, want)
		}
		stop()
		synctest.Wait()
	})
}

// A defect in what a page has worked out is that page's error, and not the end of the
// process, which is the gateway's too.
func TestWorkThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := atWork(t)
		defer stop()
		var none []int
		_, err := workOut(workVisit(s), "broken", "1", func(context.Context) (int, error) { return none[len(none)], nil })
		if p := problem.From(err); err == nil || p.Kind != problem.Internal {
			t.Errorf("got %v, want an internal problem", err)
		}
		got, err := workOut(workVisit(s), "whole", "1", func(context.Context) (int, error) { return 7, nil })
		if err != nil || got.Answer != 7 {
			t.Errorf("afterwards: got %+v, %v", got, err)
		}
	})
}
