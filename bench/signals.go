package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/sallyport/sallyport/bench/site"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

const (
	caep = "https://schemas.openid.net/secevent/caep/event-type/"
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
)

// cause is something outside that must stop a stream.
type cause struct {
	name, what string
	// say says it in round i; undo takes it back. A cause without undo cuts for good,
	// and has a device for each round.
	say, undo func(ctx context.Context, w *world, x *site.Systems, i int) error
	spares    bool
	person    bool // the stream is of a person's program, in a session of its own
}

var (
	lin    = map[string]any{"format": "opaque", "id": "00u1"}
	device = map[string]any{"format": "opaque", "id": string(site.Device)}
)

func event(kind string, subject map[string]any, body map[string]any) func(context.Context, *world, *site.Systems, int) error {
	return func(ctx context.Context, _ *world, x *site.Systems, _ int) error {
		return x.Event(ctx, kind, subject, body)
	}
}

// causes in the order in which they run. The revocation of devices is last: nothing
// works on them afterwards.
var causes = []cause{
	{name: "scim", what: "SCIM: active false, by PATCH",
		say:  func(ctx context.Context, _ *world, x *site.Systems, _ int) error { return x.Active(ctx, false) },
		undo: func(ctx context.Context, _ *world, x *site.Systems, _ int) error { return x.Active(ctx, true) }},
	{name: "session", what: "CAEP session-revoked", person: true, say: event(caep+"session-revoked", lin, map[string]any{"initiating_entity": "policy"})},
	{name: "account", what: "RISC account-disabled", say: event(risc+"account-disabled", lin, nil), undo: event(risc+"account-enabled", lin, nil)},
	{name: "compliance", what: "CAEP device-compliance-change", say: event(caep+"device-compliance-change", device, map[string]any{"current_status": "not-compliant"}),
		undo: event(caep+"device-compliance-change", device, map[string]any{"current_status": "compliant"})},
	{name: "posture", what: "posture failure, by the fleet manager", spares: true, say: func(ctx context.Context, w *world, x *site.Systems, i int) error {
		return x.Posture(ctx, snapshot.CheckFail, w.site.Devices()[1+i])
	}},
	{name: "certificate", what: "device's certificate revoked (device.revoke)", spares: true, say: func(ctx context.Context, w *world, _ *site.Systems, i int) error {
		_, err := w.site.Do(ctx, registrytest.Grace, registry.RevokeDevice{ID: w.site.Devices()[1+i]}, "the benchmark", "")
		return err
	}},
}

func causeNames() (out []string) {
	for _, c := range causes {
		out = append(out, c.name)
	}
	return out
}

// signals is how long bytes go on leaving after one of the vendor's own systems, or
// an officer, says that a person, a session or a device is not to be trusted.
func signals(ctx context.Context, b *bench) (err error) {
	rounds := b.scale(100, 4)
	for _, n := range b.causes {
		if !slices.Contains(causeNames(), n) {
			return fmt.Errorf("-causes: there is no %q; there are %v", n, causeNames())
		}
	}
	w, err := b.openWith(ctx, "signals", true, func(s *site.Site) error { return errors.Join(s.Postured(), s.Spare(rounds)) }, streams(64<<30)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	x, err := w.site.Systems(ctx)
	if err != nil {
		return err
	}
	provider, err := site.NewProvider(w.pki, "sallyport", "00u1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provider.Close()) }()
	notebook, err := w.site.Notebook(ctx, w.pki, provider)
	if err != nil {
		return err
	}
	t := Table{Name: "Signal to last byte (milliseconds)", Columns: []string{"rounds", "p50", "p99", "longest", "said p50", "end p50", "end p99"},
		Notes: []string{"From the moment at which the request is sent until the client's last byte; 0 where no byte came after. \"Said\": until it is answered, durable in",
			"registry and log. \"End\": until the client's connection is cut. Half of the rounds at full speed, half from a hospital of 8 MB a second, at a random moment.",
			"Hospital, gateway, client and sender share the machine."}}
	for _, c := range causes {
		if len(b.causes) > 0 && !slices.Contains(b.causes, c.name) {
			continue
		}
		// All devices are in order at the start. A device's state may get better only
		// ten seconds after it got worse.
		if err := w.inOrder(ctx, x); err != nil {
			return err
		}
		var last, said, end []float64
		for i := range rounds {
			at, err := w.signal(ctx, x, notebook, c, i)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", c.name, i, err)
			}
			last, said, end = append(last, at.last), append(said, at.act), append(end, at.end)
		}
		t.Rows = append(t.Rows, Row{c.what, []float64{float64(rounds), median(last), quantile(last, 0.99), quantile(last, 1), median(said), median(end), quantile(end, 0.99)}})
		b.report.atMost(c.what+": to last byte, p99", quantile(last, 0.99), 250, " ms")
	}
	b.report.table(t)
	return nil
}

// inOrder has the fleet manager say that all devices are in order.
func (w *world) inOrder(ctx context.Context, x *site.Systems) error {
	for range 12 {
		err := x.Posture(ctx, snapshot.CheckPass, w.site.Devices()...)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return x.Posture(ctx, snapshot.CheckPass, w.site.Devices()...)
}

// signal is one round.
func (w *world) signal(ctx context.Context, x *site.Systems, notebook site.Launch, c cause, i int) (cutAt, error) {
	var client doer = w.client
	if c.person {
		var err error
		notebook.From = net.IPv4(127, 0, 1, byte(1+i/5)) // a few tries from each
		if client, err = notebook.Sign(ctx); err != nil {
			return cutAt{}, err
		}
	}
	if c.spares {
		var err error
		if client, err = w.site.SpareClient(ctx, i); err != nil {
			return cutAt{}, err
		}
	}
	which := []int{flood, trickle}[i%2]
	at, err := w.cut(ctx, client, which, []time.Duration{flood: 100 * time.Millisecond, trickle: 500 * time.Millisecond}[which], func(ctx context.Context) error { return c.say(ctx, w, x, i) })
	if err != nil || c.undo == nil {
		return at, err
	}
	return at, c.undo(ctx, w, x, i)
}
