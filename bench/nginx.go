package main

import (
	"bytes"
	"context"
	"crypto/sha1" // nginx's $ssl_client_fingerprint; not for security here
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	_ "embed" // the peers' configuration

	"github.com/sallyport/sallyport/bench/site"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed nginx.conf.tmpl
var nginxConfig string

//go:embed policy.rego
var rego []byte

// opaModule is the peer that decides a policy. It is no dependency of the
// product: the benchmark builds it by itself, once.
const opaModule = "github.com/open-policy-agent/opa@v1.22.1"

// opaProgram is the path of OPA, which it builds if it must.
func (b *bench) opaProgram(ctx context.Context) (string, error) {
	if b.opa != "" {
		return b.opa, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "sallyport-bench", strings.ReplaceAll(filepath.Base(opaModule), "@", "-"))
	out := filepath.Join(dir, "opa")
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	fmt.Fprintln(os.Stderr, "building", opaModule, "into", dir, "(once; some minutes)")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "install", opaModule)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building OPA: %w\n%s", err, text)
	}
	return out, nil
}

// startOPA serves the policy over the records on loopback, without decision
// logs: it keeps no record, Sallyport does.
func (b *bench) startOPA(ctx context.Context, k *site.PKI) (*site.Process, string, error) {
	program, err := b.opaProgram(ctx)
	if err != nil {
		return nil, "", err
	}
	data, err := opaData(k, b.now())
	if err != nil {
		return nil, "", err
	}
	dir := filepath.Join(b.dir, "opa")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", err
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "policy.rego"), rego, 0o600),
		os.WriteFile(filepath.Join(dir, "data.json"), data, 0o600)); err != nil {
		return nil, "", err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	p, err := site.Start(b.dir, "opa", program, "run", "--server", "--addr", addr, "--log-level", "error", "--skip-version-check", "--optimize-store-for-read-speed",
		filepath.Join(dir, "policy.rego"), filepath.Join(dir, "data.json"))
	if err != nil {
		return nil, "", err
	}
	if err := listening(ctx, p, addr); err != nil {
		p.Kill()
		return nil, "", err
	}
	return p, addr, nil
}

// opaData is the world of gate's tests, whose every gate allows, joined into one
// document for its grant; the client's certificate is the device's.
func opaData(k *site.PKI, now time.Time) ([]byte, error) {
	certFile, _ := site.File(k.Dir, site.ClientFile)
	text, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the client's certificate is not PEM")
	}
	print := sha1.Sum(block.Bytes)
	type doc = map[string]any
	g := doc{}
	for _, r := range gatetest.Records(now) {
		switch r := r.(type) {
		case *snapshot.Grant:
			g["state"], g["requested_by"], g["approved_by"] = r.State, r.RequestedBy, r.ApprovedBy
			g["starts_at"], g["ends_at"] = r.StartsAt.UnixNano(), r.EndsAt.UnixNano()
		case *snapshot.Review:
			g["review_due"] = r.DueAt.UnixNano()
		case *snapshot.App:
			g["app"] = doc{"id": "bench-app", "state": r.State, "vendor": r.Vendor}
		case *snapshot.Device:
			g["devices"] = doc{hex.EncodeToString(print[:]): doc{"id": r.ID, "state": r.State, "vendor": r.Vendor, "region": r.Region, "trusted_until": r.TrustedUntil.UnixNano()}}
		case *snapshot.Person:
			g["person"] = doc{"id": r.ID, "state": r.State, "vendor": r.Vendor, "region": r.Region, "classification": r.Classification}
		case *snapshot.Training:
			g["training"] = doc{"course": r.Course, "version": r.Version, "passed": r.Passed, "expires_at": r.ExpiresAt.UnixNano()}
		case *snapshot.Vendor:
			if r.ID == gatetest.Vendor {
				g["vendor"] = doc{"id": r.ID, "state": r.State, "ownership": r.Screening.Ownership, "access": r.Screening.Access,
					"screened_at": r.Screening.At.UnixNano(), "screening_until": r.Screening.ValidUntil.UnixNano()}
			}
		case *snapshot.Assessment:
			g["assessment"] = doc{"verdict": r.Verdict, "decided_at": r.DecidedAt.UnixNano(), "valid_until": r.ValidUntil.UnixNano()}
		case *snapshot.Certification:
			g["certification"] = doc{"verified_at": r.VerifiedAt.UnixNano(), "expires_at": r.ExpiresAt.UnixNano()}
		case *snapshot.Engagement:
			g["engagement"] = doc{"id": r.ID, "state": r.State, "starts_at": r.StartsAt.UnixNano(), "ends_at": r.EndsAt.UnixNano(),
				"basis": r.Basis, "purpose": r.Purpose, "data_class": r.DataClass, "sources": doc{string(gatetest.Source): true}}
			regions := doc{}
			for _, x := range r.Regions {
				regions[x] = true
			}
			g["regions"] = regions
		case *snapshot.Agreement:
			uses := doc{}
			for _, u := range r.PermittedUses {
				classes := doc{}
				for _, c := range u.DataClasses {
					classes[string(c)] = true
				}
				uses[string(u.Purpose)] = classes
			}
			name := map[snapshot.AgreementKind]string{snapshot.BAA: "baa", snapshot.ServicesContract: "contract", snapshot.SubcontractorBAA: "subcontract"}[r.Kind]
			g[name] = doc{"state": r.State, "signatures": len(r.Signatures), "terms_missing": 0, "effective_at": r.EffectiveAt.UnixNano(),
				"ends_at": r.EndsAt.UnixNano(), "ended": !r.TerminatedAt.IsZero() || !r.SuspendedAt.IsZero(), "uses": uses}
		case *snapshot.Role:
			types := doc{}
			for _, t := range []string{"Patient", "Observation", "Condition", "Encounter", "MedicationRequest", "DiagnosticReport"} {
				types[t] = doc{"read": true, "search-type": true}
			}
			g["role"] = doc{"state": r.State, "resources": types, "profile": r.Profile}
		case *snapshot.Determination:
			g["determinations"] = doc{r.Profile: doc{"state": r.State, "requested_by": r.RequestedBy, "approved_by": r.ApprovedBy, "profile_sha256": r.Profile256,
				"determined_at": r.DeterminedAt.UnixNano(), "valid_until": r.ValidUntil.UnixNano()}}
		}
	}
	holds := doc{}
	for _, noun := range []string{"vendor", "engagement", "person", "device", "app", "grant"} {
		holds[noun] = doc{}
	}
	s := gatetest.Settings()
	profiles := doc{}
	for _, p := range s.Profiles {
		profiles[p.Name] = p
	}
	return json.Marshal(doc{"grants": doc{"bench-grant": g}, "holds": holds,
		"settings": doc{"course": s.Course, "course_version": s.CourseVersion, "source": gatetest.Source, "profiles": profiles}})
}

// startNginx starts nginx before the upstream; with opa it asks there first.
func (b *bench) startNginx(ctx context.Context, name string, k *site.PKI, upstream, opa string) (*site.Process, string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	var text bytes.Buffer
	if err := template.Must(template.New("nginx.conf").Parse(nginxConfig)).Execute(&text, map[string]any{
		"Dir": dir, "PKI": k.Dir, "Upstream": upstream, "OPA": opa, "Listen": addr, "Root": os.Geteuid() == 0}); err != nil {
		return nil, "", err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return nil, "", err
	}
	program, err := exec.LookPath(b.nginx)
	if err != nil {
		return nil, "", fmt.Errorf("nginx is needed (Debian: nginx-light), or name it with -nginx: %w", err)
	}
	p, err := site.Start(b.dir, name, program, "-p", dir, "-c", file, "-e", "stderr")
	if err != nil {
		return nil, "", err
	}
	if err := listening(ctx, p, addr); err != nil {
		return nil, "", errors.Join(err, p.Stop())
	}
	return p, addr, nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// listening waits until something accepts connections at addr.
func listening(ctx context.Context, p *site.Process, addr string) error {
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.Ended():
			return fmt.Errorf("%s ended at its start; see its log in logs/", p.Name)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not listen", p.Name)
}

// mustRefuse asks as a stranger, who has a certificate of the right authority
// and no papers: a doorway that lets it in is not the peer that we mean.
func mustRefuse(k *site.PKI, url string) error {
	cred, err := strangerTLS(k)
	if err != nil {
		return err
	}
	hc := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: cred, DisableKeepAlives: true}}
	resp, err := hc.Get(url)
	if err != nil {
		return fmt.Errorf("asking as a stranger: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return fmt.Errorf("a stranger was let in by %s", url)
	}
	return nil
}
