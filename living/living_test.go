package living_test

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/living"
)

func TestStory(t *testing.T) {
	began := time.Now()
	logFile, _ := os.Create("/tmp/living.log")
	o, err := living.Start(t.Context(), living.Options{Dir: t.TempDir(), Quick: os.Getenv("FULL") == "", Logger: slog.New(slog.NewTextHandler(logFile, nil)), Progress: func(d, n int, what string) {
		if what != "" {
			t.Log(time.Since(began).Round(time.Millisecond), d, n, what)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(began))
	if err := o.Stop(); err != nil {
		t.Fatal(err)
	}
}
