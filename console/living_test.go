package console_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/living"
)

// mercy is the one living organisation of this binary's tests, whose patients are all
// canaries. Tests that walk every screen share it, and change nothing in it.
var mercy struct {
	once sync.Once
	dir  string
	org  *living.Organisation
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	errs := []error{office.ends.end()}
	if mercy.org != nil {
		errs = append(errs, mercy.org.Stop())
	}
	if mercy.dir != "" {
		errs = append(errs, os.RemoveAll(mercy.dir))
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the organisations that tests share:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func livingWorld(t *testing.T) *living.Organisation {
	t.Helper()
	mercy.once.Do(func() {
		if mercy.dir, mercy.err = os.MkdirTemp("", "sallyport-console"); mercy.err == nil {
			mercy.org, mercy.err = living.Start(context.Background(), living.Options{Dir: mercy.dir, Quick: true, Records: hospital.GenerateCanaries(1, 12)})
		}
	})
	if mercy.err != nil {
		t.Fatal(mercy.err)
	}
	return mercy.org
}
