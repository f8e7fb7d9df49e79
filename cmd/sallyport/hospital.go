package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/problem"
)

// hospitalCmd is a source for those who want to try serve without one.
type hospitalCmd struct {
	Port     int    `help:"The port, on loopback." default:"8080"`
	Patients int    `help:"How many patients it has." default:"40"`
	Seed     uint64 `help:"The same seed makes the same patients." default:"1"`
}

// Run serves synthetic patients on loopback, to anyone on this machine, until
// it is told to stop.
func (c *hospitalCmd) Run(ctx context.Context) error {
	if c.Patients < 1 || c.Patients > 5000 {
		return problem.BadField("patients", "is not between 1 and 5000", "40 is plenty")
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port))
	l, err := net.Listen("tcp", address)
	if err != nil {
		return problem.BadField("port", "cannot listen on "+address, "Free the port or choose another with --port").Because(err)
	}
	srv := &http.Server{Handler: hospital.NewServer(hospital.Generate(c.Seed, c.Patients), hospital.Options{}), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = srv.Close() }) // its error is Serve's
	fmt.Printf("A synthetic hospital with %d patients, made up: http://%s/fhir\nCtrl-C ends it.\n", c.Patients, l.Addr())
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}
