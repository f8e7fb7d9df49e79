package site

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/snapshot"
)

// Systems are the vendor's own systems, without client certificates: a directory
// (SCIM), a sender of security events (SSF), a fleet manager.
type Systems struct {
	gateway     string
	scim, fleet string // bearer tokens
	issuer      string
	key         *ecdsa.PrivateKey
	http        *http.Client
	now         func() time.Time
}

const directory = id.Connector("directory")

// Postured makes the configuration ask servers, too, for devices in order.
func (s *Site) Postured() error {
	text, err := os.ReadFile(s.Config)
	if err != nil {
		return err
	}
	next := text
	for _, change := range []struct {
		old *regexp.Regexp
		now string
	}{{regexp.MustCompile(`workloads_exempt: true`), "workloads_exempt: false"}, {regexp.MustCompile(`(# )?waived: \[\]`), "waived: [hardware_key]"}} {
		if !change.old.Match(next) {
			return errors.New("the configuration that init writes has changed: it lacks " + change.old.String())
		}
		next = change.old.ReplaceAll(next, []byte(change.now))
	}
	return os.WriteFile(s.Config, next, 0o600)
}

// Spare makes n devices of the vendor's more, each with a certificate, which the
// grant of Paper will name.
func (s *Site) Spare(n int) error {
	config, err := server.Load(s.Config)
	if err != nil {
		return err
	}
	for i := range n {
		key, err := identity.NewKey(256)
		if err != nil {
			return err
		}
		csr, err := identity.NewRequest(key)
		if err != nil {
			return err
		}
		cert, _, err := server.SignDevice(config, spare(i), csr, 24*time.Hour, s.now())
		if err != nil {
			return err
		}
		cred, err := identity.NewCredential(cert, key)
		if err != nil {
			return err
		}
		s.spares = append(s.spares, cred)
	}
	return nil
}

func spare(i int) id.Device { return id.Device(fmt.Sprintf("spare-%d", i)) }

// spareSteps enrol the spare devices.
func (s *Site) spareSteps() (steps []registrytest.Step, devices []id.Device) {
	for i, c := range s.spares {
		d := spare(i)
		devices = append(devices, d)
		steps = append(steps,
			registrytest.Step{By: registrytest.Ada, Act: registry.EnrollDevice{ID: d, Vendor: "northwind", Key256: c.KeyDigest(), Owner: registrytest.Lin, Region: "US"}, Reason: "a spare"},
			registrytest.Step{By: registrytest.Grace, Act: registry.ApproveDevice{ID: d, TrustedUntil: s.now().AddDate(0, 1, 0)}, Reason: "a spare"})
	}
	return steps, devices
}

// SpareClient is the vendor's program on a spare device.
func (s *Site) SpareClient(ctx context.Context, i int) (*identity.Client, error) {
	c, _, err := s.clientOn(ctx, s.spares[i])
	return c, err
}

// Systems registers the vendor's systems and has them approved, and takes the
// vendor's person into the directory.
func (s *Site) Systems(ctx context.Context) (*Systems, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	pinned, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		return nil, err
	}
	x := &Systems{gateway: s.Gateway, scim: rand.Text(), fleet: rand.Text(), issuer: "https://events.northwind.example", key: key,
		http: identity.NewHTTPClient(identity.ClientTLS(nil, s.roots)), now: s.now}
	digest := func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }
	for _, c := range []registry.RegisterConnector{
		{ID: directory, Vendor: "northwind", Kind: snapshot.SCIMClient, Name: "Directory", Token256: digest(x.scim)},
		{ID: "events", Vendor: "northwind", Kind: snapshot.SSFSender, Name: "Events", Issuer: x.issuer, Audience: s.Gateway, Keys: pinned},
		{ID: "fleet", Vendor: "northwind", Kind: snapshot.FleetManager, Name: "Fleet", Token256: digest(x.fleet)},
	} {
		for _, step := range []registrytest.Step{{By: registrytest.Ada, Act: c}, {By: registrytest.Grace, Act: registry.ApproveConnector{ID: c.ID}}} {
			if _, err := s.Do(ctx, step.By, step.Act, "a system of the vendor", ""); err != nil {
				return nil, err
			}
		}
	}
	_, err = s.Do(ctx, registrytest.Ada, registry.LinkDirectory{ID: registrytest.Lin, Directory: snapshot.Directory{Connector: directory, UserName: "lin@northwind.example", ExternalID: "00u1"}}, "theirs", "")
	return x, err
}

// Active is the directory's PATCH that says whether the vendor's person is active.
func (x *Systems) Active(ctx context.Context, yes bool) error {
	return x.send(ctx, http.MethodPatch, "/scim/v2/Users/"+string(registrytest.Lin), "Bearer "+x.scim, "application/scim+json",
		fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":%v}]}`, yes), http.StatusOK)
}

// Event pushes a security event of this type.
func (x *Systems) Event(ctx context.Context, kind string, subject, body map[string]any) error {
	if body == nil {
		body = map[string]any{}
	}
	raw, err := json.Marshal(map[string]any{"iss": x.issuer, "aud": x.gateway, "jti": rand.Text(), "iat": x.now().Unix(), "sub_id": subject, "events": map[string]any{kind: body}})
	if err != nil {
		return err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: x.key}, (&jose.SignerOptions{}).WithType("secevent+jwt").WithHeader("kid", "k1"))
	if err != nil {
		return err
	}
	jws, err := signer.Sign(raw)
	if err != nil {
		return err
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		return err
	}
	return x.send(ctx, http.MethodPost, "/ssf/events", "", "application/secevent+jwt", token, http.StatusAccepted)
}

// Posture is the fleet manager's report of devices, in order or not.
func (x *Systems) Posture(ctx context.Context, disk snapshot.Check, devices ...id.Device) error {
	var list []map[string]any
	for _, d := range devices {
		list = append(list, map[string]any{"id": d, "os": "linux", "os_version": "12", "update_age_days": 1, "disk_encryption": disk,
			"screen_lock": "pass", "firewall": "pass", "malware_protection": "pass"})
	}
	raw, err := json.Marshal(map[string]any{"devices": list})
	if err != nil {
		return err
	}
	return x.send(ctx, http.MethodPost, "/posture/fleet", "Bearer "+x.fleet, "application/json", string(raw), http.StatusOK)
}

// Devices are all of the vendor's devices, the spare ones last.
func (s *Site) Devices() []id.Device {
	_, spares := s.spareSteps()
	return append([]id.Device{Device}, spares...)
}

func (x *Systems) send(ctx context.Context, method, path, auth, kind, body string, want int) error {
	req, err := http.NewRequestWithContext(ctx, method, x.gateway+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := x.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != want || strings.Contains(string(text), `"problem"`) {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return nil
}
