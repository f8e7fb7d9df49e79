package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/seal/sealed"
)

// inside is step 5: the vendor's device makes a key, the organisation demands
// sealing, and what stands between them sees ciphertext alone.
func (d *demo) inside(ctx context.Context) error {
	d.begin(5, "Sealed to the vendor's machine, inside TLS")
	w := d.world
	key, err := sealed.NewIdentity(sealed.Age)
	if err != nil {
		return err
	}
	identityFile := filepath.Join(w.dir, "northwind", "seal.key")
	if err := os.WriteFile(identityFile, key.Secret(), 0o600); err != nil {
		return fmt.Errorf("writing the vendor's key: %w", err)
	}
	// Both change what was approved, so both are approved anew, by another person.
	var engagement map[string]any
	if err := w.people["ada"].call(ctx, http.MethodGet, "/v1/engagements/triage-eval", nil, &engagement); err != nil {
		return err
	}
	amended := map[string]any{"sealing": "age"}
	for _, name := range []string{"id", "vendor", "agreements", "basis", "purpose", "category", "sources", "data_class", "regions", "starts_at", "ends_at"} {
		amended[name] = engagement[name]
	}
	until := engagement["ends_at"]
	for _, a := range []struct {
		by     string
		kind   registry.Kind
		reason string
		fields map[string]any
	}{
		{"ada", "device.set-recipients", "the key that the machine made", map[string]any{"id": "northwind-gpu-1", "seal_to": []string{key.Recipient().String()}}},
		{"grace", "device.approve", "the key compared by telephone", map[string]any{"id": "northwind-gpu-1", "trusted_until": until}},
		{"ada", "engagement.amend", "sealed from here to their machine", amended},
		{"grace", "engagement.approve", "agreed", map[string]any{"id": "triage-eval"}},
	} {
		if _, err := w.act(ctx, a.by, a.kind, a.reason, a.fields); err != nil {
			return err
		}
	}
	resp, err := w.open(ctx, question)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("reading the sealed answer: %w", err)
	}
	ok := d.must(resp.StatusCode == http.StatusOK && sealed.IsMediaType(resp.Header.Get("Content-Type")), "the answer is sealed")
	ok = d.must(!bytes.Contains(body, []byte("resourceType")) && !bytes.Contains(body, []byte(d.code)), "a proxy or a cache in between sees no FHIR and no code") && ok
	line, _, _ := bytes.Cut(body, []byte("\n"))
	d.say("What a proxy, a cache or a bucket in between sees: %d bytes, which begin %q", len(body), line)

	rawKeys, err := os.ReadFile(w.config.Data("release-keys.json"))
	if err != nil {
		return fmt.Errorf("reading the organisation's release keys: %w", err)
	}
	keys, err := sealed.ParseKeys(rawKeys)
	if err != nil {
		return err
	}
	open := func(body []byte) ([]byte, error) {
		x := sealed.Expect{Identities: []sealed.Identity{key}, Keys: keys, Decision: id.Decision(resp.Header.Get("Sallyport-Decision"))}
		x.FromHeaders(resp.Header, func() map[string][]string { return resp.Trailer })
		r, err := sealed.Open(bytes.NewReader(body), x)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	plain, err := open(body)
	ok = d.must(err == nil && bytes.Contains(plain, []byte("resourceType")), "the machine opens it, and its manifest verifies") && ok
	changed := bytes.Clone(body)
	changed[len(changed)-1] ^= 1
	_, err = open(changed)
	ok = d.must(err != nil, "with one bit changed nothing of it is final") && ok
	d.fact("sealed_bytes", len(body))
	d.fact("plain_bytes", len(plain))
	d.say("The machine opens it: %d bytes of FHIR, and the manifest, signed by the organisation, names this decision.", len(plain))
	d.say("One bit changed on the way: refused. The stock age tool opens such files too: age -d -i %s", identityFile)
	return d.end(ok)
}
