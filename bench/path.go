package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/bench/site"
	"github.com/sallyport/sallyport/identity"
)

// peer is one way to the data.
type peer struct {
	name  string
	addr  string
	ca    string
	cert  string
	key   string
	paths []string // request URI of each size
	token func(context.Context) (string, error)
	cpu   []*site.Process // whose processor time the doorway costs
	limit int             // least bytes of each body; 0: any
}

// size is what is asked for.
type size struct {
	short   string
	name    string
	clients []int
}

var sizes = []size{{"2KB", "2 KB resource", []int{1, 16, 64}}, {"500KB", "500 KB bundle", []int{1, 16, 64}}}

// world is the hospital, the peers and Sallyport, all running.
type world struct {
	upstream site.UpstreamReady
	hospital *site.Process
	pki      *site.PKI
	site     *site.Site
	serve    *site.Process
	client   *identity.Client
	http     *http.Client
	stop     []*site.Process // in the order of starting
}

func (w *world) close() (err error) {
	for i := len(w.stop) - 1; i >= 0; i-- {
		err = errors.Join(err, w.stop[i].Stop())
	}
	return err
}

// open starts the hospital, and Sallyport with all papers in order.
func (b *bench) open(ctx context.Context, name string, keep bool, streams ...site.Stream) (_ *world, err error) {
	return b.openWith(ctx, name, keep, nil, streams...)
}

// openWith is open, with the installation prepared before it runs.
func (b *bench) openWith(ctx context.Context, name string, keep bool, prepare func(*site.Site) error, streams ...site.Stream) (_ *world, err error) {
	w := &world{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if w.pki, err = site.NewPKI(filepath.Join(dir, "pki"), b.now()); err != nil {
		return nil, err
	}
	w.hospital, w.upstream, err = site.StartUpstream(b.dir, site.UpstreamConfig{PKI: w.pki.Dir, Seed: 1, Patients: 50, Streams: streams, Keep: keep})
	if err != nil {
		return nil, err
	}
	w.stop = append(w.stop, w.hospital)
	if w.site, err = site.New(ctx, site.Options{Dir: filepath.Join(dir, "site"), PKI: w.pki, URL: w.upstream.Base, Now: b.now, SealTo: b.sealTo, People: prepare != nil}); err != nil {
		return nil, err
	}
	if prepare != nil {
		if err := prepare(w.site); err != nil {
			return nil, err
		}
	}
	program, err := b.sallyport(ctx, name)
	if err != nil {
		return nil, err
	}
	if w.serve, err = w.site.Serve(ctx, name+"-sallyport", program...); err != nil {
		return nil, err
	}
	w.stop = append(w.stop, w.serve)
	if err := w.site.Paper(ctx); err != nil {
		return nil, err
	}
	w.client, w.http, err = w.site.Client(ctx)
	return w, err
}

// sallyport is the program as users get it, or this one with profiles.
func (b *bench) sallyport(ctx context.Context, name string) ([]string, error) {
	if !b.profile {
		program, err := site.Build(ctx, b.dir)
		return []string{program, "serve", "--log", "json"}, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{self, profiledArg, filepath.Join(b.out, name)}, nil
}

// path compares the whole path with its peers.
func path(ctx context.Context, b *bench) (err error) {
	w, err := b.open(ctx, "path", true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	peers, err := b.peers(ctx, w)
	if err != nil {
		return err
	}
	if peers, err = b.some(peers); err != nil {
		return err
	}
	syncs := func() (float64, error) {
		d, err := audit.MeasureSync(w.site.Data(), b.scale(100, 20))
		return d.Seconds() * 1e3, err
	}
	seen := map[string]map[string]*seenAt{}
	var disk []float64
	rounds := b.scale(3, 1)
	for i, s := range sizes {
		if len(b.sizeset) > 0 && !slices.Contains(b.sizeset, s.short) {
			continue
		}
		for _, clients := range s.clients {
			column := fmt.Sprintf("%s, %d clients", s.name, clients)
			seen[column] = map[string]*seenAt{}
			for round := range rounds {
				for turn := range peers {
					p := peers[(turn+round)%len(peers)] // nobody is always first
					if ctx.Err() != nil {
						return ctx.Err()
					}
					d, err := syncs()
					if err != nil {
						return err
					}
					disk = append(disk, d)
					if err := b.measure(ctx, p, i, clients, seen[column]); err != nil {
						return fmt.Errorf("%s, %s: %w", p.name, column, err)
					}
				}
			}
			b.report.table(pathTable(column, peers, seen[column]))
		}
	}
	if len(b.peerset) == 0 && len(b.sizeset) == 0 {
		b.judge(seen, disk)
	}
	return nil
}

// some keeps the peers that -peers names, and direct, which all are compared with.
func (b *bench) some(peers []peer) ([]peer, error) {
	if len(b.peerset) == 0 {
		return peers, nil
	}
	var out []peer
	for _, p := range peers {
		if p.name == "direct" || slices.Contains(b.peerset, p.name) {
			out = append(out, p)
		}
	}
	if len(out) < 2 {
		return nil, fmt.Errorf("-peers names none of the peers of the tables: %q", b.peerset)
	}
	return out, nil
}

// measure runs one peer once.
func (b *bench) measure(ctx context.Context, p peer, which, clients int, into map[string]*seenAt) error {
	c := LoadConfig{Addr: p.addr, CA: p.ca, Cert: p.cert, Key: p.key, Path: p.paths[which], Clients: clients, MinBytes: p.limit,
		WarmUp: time.Duration(b.scale(500, 200)) * time.Millisecond, Measure: time.Duration(b.scale(2500, 500+1500*which)) * time.Millisecond}
	if p.token != nil {
		var err error
		if c.Token, err = p.token(ctx); err != nil {
			return err
		}
	}
	var before, after time.Duration
	cpu := func(into *time.Duration) func() error {
		return func() error {
			for _, proc := range p.cpu {
				d, err := proc.CPU()
				if err != nil {
					return err
				}
				*into += d
			}
			return nil
		}
	}
	r, err := load(b, c, cpu(&before), cpu(&after))
	if err != nil {
		return err
	}
	s := into[p.name]
	if s == nil {
		s = &seenAt{}
		into[p.name] = s
	}
	s.rate = append(s.rate, float64(r.Requests)/r.Seconds)
	s.p50, s.p90, s.p99 = append(s.p50, r.P50), append(s.p90, r.P90), append(s.p99, r.P99)
	s.cpu = append(s.cpu, (after-before).Seconds()*1e3/float64(r.Requests))
	s.bytes = r.Bytes
	return nil
}

// seenAt is what several rounds saw of one peer.
type seenAt struct {
	rate, p50, p90, p99, cpu []float64
	bytes                    int
}

func pathTable(column string, peers []peer, at map[string]*seenAt) Table {
	t := Table{Name: "Whole path, " + column, Columns: []string{"req/s", "x direct", "p50 ms", "p90 ms", "p99 ms", "added p50 ms", "doorway CPU ms", "bytes"}}
	direct := at["direct"]
	for _, p := range peers {
		s := at[p.name]
		added, cpu := median(s.p50)-median(direct.p50), median(s.cpu)
		if p.name == "direct" {
			added = 0
		}
		if len(p.cpu) == 0 {
			cpu = -1
		}
		t.Rows = append(t.Rows, Row{p.name, []float64{median(s.rate), median(s.rate) / median(direct.rate), median(s.p50), median(s.p90), median(s.p99),
			max(added, 0), cpu, float64(s.bytes)}})
	}
	return t
}

// judge holds the figures against what was promised.
func (b *bench) judge(at map[string]map[string]*seenAt, disk []float64) {
	sync := median(disk)
	b.report.table(Table{Name: "Disk, in the same run", Columns: []string{"p50 ms", "p90 ms"}, Rows: []Row{{"one group commit (write 4 KB, fdatasync)", []float64{sync, quantile(disk, 0.9)}}},
		Notes: []string{"Measured before each of the runs above, with the peers idle."}})
	small := at["2 KB resource, 16 clients"]
	b.report.atMost("2 KB, 16 clients: median added to direct mutual TLS, at most two group commits and 1.5 ms",
		median(small["Sallyport"].p50)-median(small["direct"].p50), 2*sync+1.5, " ms")
	many := at["2 KB resource, 64 clients"]
	b.report.atLeast("2 KB, 64 clients: throughput over nginx asking OPA", ratio(many["Sallyport"].rate, many["nginx asking OPA"].rate), 1.5, "x")
	b.report.atLeast("2 KB, 64 clients: throughput over Go's plain reverse proxy (the later aim, not a target of this part)",
		ratio(many["Sallyport"].rate, many["Go reverse proxy"].rate), 1, "x")
	big := at["500 KB bundle, 16 clients"]
	b.report.atLeast("500 KB, 16 clients: throughput over a proxy with encoding/json", ratio(big["Sallyport"].rate, big["Go proxy with encoding/json"].rate), 3, "x")
}

func ratio(a, b []float64) float64 { return median(a) / median(b) }

// peers starts all that is compared.
func (b *bench) peers(ctx context.Context, w *world) ([]peer, error) {
	u, err := url.Parse(w.upstream.Base)
	if err != nil {
		return nil, err
	}
	cert, key := site.File(w.pki.Dir, site.ClientFile)
	ca := filepath.Join(w.pki.Dir, site.CAFile)
	paths := []string{u.Path + "/" + w.upstream.Type + "/" + w.upstream.ID, u.Path + "/" + w.upstream.Search}
	plain := peer{ca: ca, cert: cert, key: key, paths: paths, limit: 1000}
	add := func(peers *[]peer, name, addr string, cpu ...*site.Process) {
		p := plain
		p.name, p.addr, p.cpu = name, addr, cpu
		*peers = append(*peers, p)
	}
	var peers []peer
	add(&peers, "direct", u.Host)
	config := ProxyConfig{PKI: w.pki.Dir, Upstream: w.upstream.Base}
	for _, r := range []struct{ role, name string }{{"reverse", "Go reverse proxy"}, {"json", "Go proxy with encoding/json"}} {
		var ready ProxyReady
		p, err := site.StartRole(b.dir, r.role, r.role, config, &ready)
		if err != nil {
			return nil, err
		}
		w.stop = append(w.stop, p)
		add(&peers, r.name, ready.Addr, p)
	}
	nginx, addr, err := b.startNginx(ctx, "nginx", w.pki, u.Host, "")
	if err != nil {
		return nil, err
	}
	w.stop = append(w.stop, nginx)
	add(&peers, "nginx", addr, nginx)
	opa, opaAddr, err := b.startOPA(ctx, w.pki)
	if err != nil {
		return nil, err
	}
	w.stop = append(w.stop, opa)
	asking, addr, err := b.startNginx(ctx, "nginx-opa", w.pki, u.Host, opaAddr)
	if err != nil {
		return nil, err
	}
	w.stop = append(w.stop, asking)
	if err := mustRefuse(w.pki, "https://"+addr+paths[0]); err != nil {
		return nil, err
	}
	add(&peers, "nginx asking OPA", addr, asking, opa)
	ours, err := b.sallyportPeer(w)
	if err != nil {
		return nil, err
	}
	return append(peers, ours), nil
}

// sallyportPeer finds what stands for the same resource and the same search at
// Sallyport, where ids are pseudonyms.
func (b *bench) sallyportPeer(w *world) (peer, error) {
	g, err := url.Parse(w.site.Base())
	if err != nil {
		return peer{}, err
	}
	codes, err := w.site.Codes(w.upstream.ID, w.upstream.Patients[0])
	if err != nil {
		return peer{}, err
	}
	cert, key := w.site.DeviceFiles()
	return peer{name: "Sallyport", addr: g.Host, ca: w.site.CAFile(), cert: cert, key: key, token: w.client.Token, cpu: []*site.Process{w.serve}, limit: 200,
		paths: []string{g.Path + "/" + w.upstream.Type + "/" + codes[0],
			g.Path + "/" + strings.ReplaceAll(w.upstream.Search, w.upstream.Patients[0], codes[1])}}, nil
}

func strangerTLS(k *site.PKI) (*tls.Config, error) {
	cred, err := identity.ReadCredential(site.File(k.Dir, site.StrangerFile))
	if err != nil {
		return nil, err
	}
	return identity.ClientTLS(cred, k.Pool()), nil
}
