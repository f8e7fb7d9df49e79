package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"time"

	"github.com/sallyport/sallyport/agent/keystore"
	"github.com/sallyport/sallyport/agent/posture"
	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/problem"
)

const (
	// renewEvery is how often the agent looks whether its certificate is to be
	// renewed, and lookEvery how often it looks at the machine.
	renewEvery = time.Minute
	lookEvery  = 5 * time.Minute
	// lookLimit bounds one look at the machine.
	lookLimit = 2 * time.Minute
	retryMin  = 5 * time.Second
	retryMax  = 5 * time.Minute
)

// RenewIfDue renews the certificate when less than half of its life is left, so
// that there is as long again to try.
func (a *Agent) RenewIfDue(ctx context.Context) (renewed bool, err error) {
	a.renewing.Lock()
	defer a.renewing.Unlock()
	l := a.link.Load()
	if l == nil {
		return false, errWaiting
	}
	leaf, now := l.cred.TLS().Leaf, a.o.Now()
	if leaf.NotAfter.Sub(now) > leaf.NotAfter.Sub(leaf.NotBefore)/2 {
		return false, nil
	}
	var e wire.Enrolment
	if err := call(ctx, l.http, http.MethodPost, l.origin+wire.Renew, nil, &e); err != nil {
		if problem.From(err).Kind == problem.Unknown {
			return false, problem.New(problem.Unknown, "The server does not know this machine's certificate any more, and does not renew it",
				"Its certificate ended, or the device was taken off the registry: ask for an invitation for this device, and run sallyport agent enroll again in this folder").Because(err)
		}
		return false, err
	}
	if e.Certificate == "" {
		return false, problem.New(problem.UpstreamFail, "The server renewed nothing", "Use an agent of the server's version")
	}
	return true, a.take(e)
}

var errWaiting = problem.New(problem.Conflict, "This machine has no certificate yet: it waits for approval", "See what is missing: sallyport agent status")

// Look reads this machine's state.
func (a *Agent) Look(ctx context.Context) *posture.Found {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	sys := a.o.System
	if sys == nil {
		sys = posture.Host{}
	}
	f := posture.Collect(ctx, runtime.GOOS, sys)
	f.How[posture.HardwareKey] = "the key store: " + string(a.keys.Kind())
	return f
}

// Report signs and sends what was found.
func (a *Agent) Report(ctx context.Context, f *posture.Found) (posture.Report, error) {
	l := a.link.Load()
	if l == nil {
		return posture.Report{}, errWaiting
	}
	r := f.Report(a.Device(), a.keys.Kind() != keystore.File, a.o.Now())
	signed, err := posture.Sign(r, a.device)
	if err != nil {
		return r, err
	}
	return r, call(ctx, l.http, http.MethodPost, l.origin+wire.Posture, signed, nil)
}

// Standing asks why this machine does, or does not, get in.
func (a *Agent) Standing(ctx context.Context) (wire.Stand, error) {
	var s wire.Stand
	l := a.link.Load()
	if l == nil {
		return s, errWaiting
	}
	err := call(ctx, l.http, http.MethodGet, l.origin+wire.Standing, nil, &s)
	if problem.From(err).Kind == problem.Unknown && err != nil {
		return s, unknownHere(a.CertificateEnds(), a.o.Now(), err)
	}
	return s, err
}

// unknownHere says what a bare 401 to an enrolled machine means.
func unknownHere(ends, now time.Time, err error) error {
	if !now.Before(ends) {
		return problem.New(problem.Unknown, "This machine's certificate ended on "+ends.UTC().Format(time.RFC3339),
			"Ask for an invitation for this device (sallyport device invite), and run sallyport agent enroll again in this folder").Because(err)
	}
	return problem.New(problem.Unknown, "The server does not know this machine, though its certificate has not ended",
		"Check this machine's clock and that this is the folder of this server's enrolment; else ask the organisation: sallyport device get").Because(err)
}

// Upkeep renews and reports until ctx ends. What goes wrong is said once, and tried
// again later and later, never in a storm.
func (a *Agent) Upkeep(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.repeat(ctx, renewEvery, "renewing the certificate", func(ctx context.Context) error {
			renewed, err := a.RenewIfDue(ctx)
			if renewed {
				a.say("The certificate was renewed; it ends on " + a.CertificateEnds().UTC().Format(time.RFC3339) + ".")
			}
			return err
		})
	}()
	var last posture.Report
	var at time.Time
	a.repeat(ctx, lookEvery, "reporting this machine's state", func(ctx context.Context) error {
		f := a.Look(ctx)
		r := f.Report(a.Device(), a.keys.Kind() != keystore.File, a.o.Now())
		every := time.Duration(max(a.settings().PostureEvery, 60)) * time.Second
		if r.Same(last) && a.o.Now().Sub(at) < every {
			return nil
		}
		r, err := a.Report(ctx, f)
		if err == nil {
			last, at = r, a.o.Now()
		}
		return err
	})
	<-done
}

// repeat does something now and every so often. After an error it waits longer
// each time, with some chance in it so that many agents do not come at once.
func (a *Agent) repeat(ctx context.Context, every time.Duration, what string, do func(context.Context) error) {
	pause, said := retryMin, ""
	for {
		err := do(ctx)
		next := every
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			pause, said = retryMin, ""
		default:
			if text := err.Error(); text != said {
				a.say(fmt.Sprintf("While %s: %s", what, text))
				said = text
			}
			next = pause + rand.N(pause/2)
			pause = min(2*pause, retryMax)
		}
		if wait(ctx, next) != nil {
			return
		}
	}
}

func (a *Agent) say(line string) {
	if a.o.Say != nil {
		a.o.Say(line)
	}
}
