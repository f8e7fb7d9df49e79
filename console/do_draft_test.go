package console

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// What waits is forgotten when its time is over, though nobody comes any more, and when the
// console stops.
func TestWhatWaitsIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		d := newDrafts(time.Now)
		ended := make(chan struct{})
		go func() { d.run(ctx); close(ended) }()
		visitor := func() *visit {
			return &visit{Now: time.Now(), Person: &snapshot.Person{ID: "ada"}, Session: &snapshot.Session{ID: "s1"}}
		}
		hold := func(v *visit, size int) (string, error) {
			return d.hold(v, &upload{Name: "paper.txt", Content: make([]byte, size)})
		}
		key, err := hold(visitor(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.keep(visitor(), doForm{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(draftLife - time.Second)
		if _, ok := d.heldFor(key, visitor()); !ok {
			t.Error("the file is gone before its time")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(d.files) != 0 || len(d.all) != 0 || d.bytes != 0 {
			t.Errorf("%d files of %d bytes and %d forms still wait", len(d.files), d.bytes, len(d.all))
		}
		// Everybody's together have a bound.
		for i := range filesAll / (16 << 20) {
			v := visitor()
			v.Person = &snapshot.Person{ID: id.Person(rune('a' + i))}
			if _, err := hold(v, 16<<20); err != nil {
				t.Fatalf("file %d: %v", i, err)
			}
		}
		if _, err := hold(visitor(), 1); err == nil {
			t.Error("a file is held beyond the bound")
		}
		stop()
		<-ended
		if len(d.files) != 0 || d.bytes != 0 {
			t.Errorf("the console stopped, and %d files wait", len(d.files))
		}
	})
}

// Whoever signs in again and again keeps no more forms than one person, and leaves room
// for everybody else's.
func TestFormsThatWaitAreCountedByPerson(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	d := newDrafts(func() time.Time { return now })
	keep := func(who id.Person, session int) {
		t.Helper()
		v := &visit{Now: now, Person: &snapshot.Person{ID: who}, Session: &snapshot.Session{ID: id.Session(fmt.Sprintf("%s-%d", who, session))}}
		if _, err := d.keep(v, doForm{}); err != nil {
			t.Fatal(err)
		}
	}
	keep("ada", 1)
	for i := range 3 * draftsEach {
		keep("lin", i)
	}
	if got, want := len(d.all), draftsEach+1; got != want {
		t.Errorf("%d forms wait, want %d", got, want)
	}
}
