package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/bench/site"
)

// The hospital's streams: as fast as it can, and 8 MB a second, which is a
// release of 4 MB every half second.
const (
	flood = iota
	trickle
)

// chunk is how long one release of each takes, or more.
var chunk = []time.Duration{flood: 700 * time.Millisecond, trickle: 700 * time.Millisecond}

func streams(huge int64) []site.Stream {
	return []site.Stream{{Bytes: huge}, {Bytes: huge, Rate: 8 << 20}}
}

// revoke is how long bytes go on leaving after the BAA under a stream is
// terminated, by the act that an officer would do, through the API.
func revoke(ctx context.Context, b *bench) (err error) {
	w, err := b.open(ctx, "revoke", true, streams(64<<30)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	t := Table{Name: "Revocation to last byte (milliseconds)", Columns: []string{"rounds", "p50", "p99", "longest", "act p50", "end p50", "end p99"},
		Notes: []string{"From the moment at which the act agreement.terminate is sent, over the API, until the client's last byte; 0 where no byte came after.",
			"\"Act\": until the act is answered, durable in registry and log. \"End\": until the client's connection is cut.",
			"Hospital, gateway, client and officer share the machine."}}
	rounds := b.scale(60, 5)
	var all []float64
	for _, s := range []struct {
		name   string
		stream int
	}{{"fast hospital, stream at full speed", flood}, {"slow hospital, 8 MB a second", trickle}} {
		var last, act, end []float64
		for i := range rounds {
			papers := w.site.Papers()
			c, err := w.cut(ctx, w.client, s.stream, chunk[s.stream], func(ctx context.Context) error { return w.site.Terminate(ctx, papers) })
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", s.name, i, err)
			}
			last, act, end = append(last, c.last), append(act, c.act), append(end, c.end)
			if err := w.site.Repaper(ctx); err != nil {
				return fmt.Errorf("a new BAA after round %d: %w", i, err)
			}
		}
		t.Rows = append(t.Rows, Row{s.name, []float64{float64(rounds), median(last), quantile(last, 0.99), quantile(last, 1), median(act), median(end), quantile(end, 0.99)}})
		all = append(all, last...)
	}
	b.report.table(t)
	b.report.atMost("revocation to last byte, p99, from sending the act", quantile(all, 0.99), 100, " ms")
	return nil
}

// cutAt is one round in milliseconds after the act was sent.
type cutAt struct{ last, act, end float64 }

// doer asks with a token.
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

// cut begins a stream, has something said in the middle, at any moment of a while,
// and watches.
func (w *world) cut(ctx context.Context, client doer, which int, within time.Duration, say func(context.Context) error) (cutAt, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	resp, err := w.stream(ctx, client, which)
	if err != nil {
		return cutAt{}, err
	}
	defer resp.Body.Close()
	type end struct {
		last, at time.Time
		err      error
	}
	begun, ended := make(chan struct{}), make(chan end, 1)
	go func() {
		var e end
		buf := make([]byte, 64<<10)
		for first := true; e.err == nil; {
			var n int
			n, e.err = resp.Body.Read(buf)
			if n > 0 {
				e.last = time.Now()
				if first {
					first = false
					close(begun)
				}
			}
		}
		e.at = time.Now()
		ended <- e
	}()
	select {
	case <-begun:
	case e := <-ended:
		return cutAt{}, fmt.Errorf("the stream ended before its first byte: %w", e.err)
	case <-ctx.Done():
		return cutAt{}, errors.New("the stream did not begin within a minute")
	}
	time.Sleep(rand.N(within)) // anywhere within a chunk
	sent := time.Now()
	if err := say(ctx); err != nil {
		return cutAt{}, err
	}
	answered := time.Now()
	select {
	case e := <-ended:
		if errors.Is(e.err, io.EOF) {
			return cutAt{}, errors.New("the stream looked whole: it was not cut")
		}
		ms := func(t time.Time) float64 { return max(t.Sub(sent).Seconds()*1e3, 0) }
		return cutAt{ms(e.last), ms(answered), ms(e.at)}, nil
	case <-ctx.Done():
		return cutAt{}, errors.New("the stream was not cut within a minute")
	}
}

// stream asks for everything about a patient of whom there is no end.
func (w *world) stream(ctx context.Context, client doer, which int) (*http.Response, error) {
	codes, err := w.site.Codes(w.upstream.Patients[which])
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.site.Base()+"/Patient/"+codes[0]+"/$everything", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/fhir+json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4000)) // for the message
		return nil, fmt.Errorf("%s: %s", resp.Status, text)
	}
	return resp, nil
}

// memory is the most that Sallyport has resident while a bundle of 500 MB goes
// through it, in a process that has done nothing else.
func memory(ctx context.Context, b *bench) (err error) {
	huge := int64(b.scale(500, 50)) << 20
	w, err := b.open(ctx, "memory", true, streams(huge)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	before, err := w.serve.Memory()
	if err != nil {
		return err
	}
	began := time.Now()
	resp, err := w.stream(ctx, w.client, flood)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	h := sha256.New()
	n, err := io.Copy(h, resp.Body)
	if err != nil {
		return fmt.Errorf("after %d bytes: %w", n, err)
	}
	if n < huge/4 {
		return fmt.Errorf("of %d bytes %d were released: this is not the stream that was meant", huge, n)
	}
	took := time.Since(began).Seconds()
	peak, err := w.serve.PeakMemory()
	if err != nil {
		return err
	}
	const mb = 1 << 20
	b.report.table(Table{Name: fmt.Sprintf("Memory of Sallyport, a bundle of %d MB", huge/mb), Columns: []string{"before MB", "peak MB", "released MB", "seconds", "upstream MB/s"},
		Rows:  []Row{{"one stream", []float64{float64(before) / mb, float64(peak) / mb, float64(n) / mb, took, float64(huge) / mb / took}}},
		Notes: []string{"Resident memory of the whole process (VmHWM), program text included."}})
	b.report.atMost(fmt.Sprintf("memory for a %d MB bundle", huge/mb), float64(peak)/mb, 100, " MB")
	return nil
}
