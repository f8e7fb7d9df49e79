package agent

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/agent/keystore"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal/sealed"
)

// Headers of sealed answers, as the gateway writes them.
const (
	openingHeader  = "Sallyport-Seal"
	manifestHeader = "Sallyport-Manifest"
	nonceHeader    = "Sallyport-Nonce"
	decisionHeader = "Sallyport-Decision"
	openedHeader   = "Sallyport-Opened" // of the agent's own answers: it was sealed, and how
	// manifestURL names the extension with the manifest of a sealed entry of a batch.
	manifestURL = "urn:sallyport:manifest"
)

// formats are those of which every machine has a key: one for each way of sealing.
var formats = []sealed.Format{sealed.Age, sealed.HPKE}

func secretOf(f sealed.Format) string { return "recipient-" + string(f) }

// recipients are the public keys to which releases for this machine are sealed.
// The private ones are made here once, and stay in the key store.
func recipients(keys *keystore.Store) (out []string, err error) {
	for _, f := range formats {
		i, err := identityOf(keys, f)
		if errors.Is(err, fs.ErrNotExist) {
			if i, err = sealed.NewIdentity(f); err == nil {
				err = keys.Put(secretOf(f), i.Secret())
			}
		}
		if errors.Is(err, sealed.ErrFIPS) {
			continue // HPKE remains
		}
		if err != nil {
			return nil, err
		}
		out = append(out, i.Recipient().String())
	}
	return out, nil
}

func identityOf(keys *keystore.Store, f sealed.Format) (sealed.Identity, error) {
	text, err := keys.Get(secretOf(f))
	if err != nil {
		return sealed.Identity{}, err
	}
	all, err := sealed.ParseIdentities(text)
	if err != nil {
		return sealed.Identity{}, err
	}
	if len(all) != 1 {
		return sealed.Identity{}, fmt.Errorf("%s holds %d keys", secretOf(f), len(all))
	}
	return all[0], nil
}

// opener opens sealed answers: with this machine's private keys, and the public
// keys of the organisation that sign manifests, which the server shows on the
// connection that its pinned authority vouches for.
type opener struct {
	mu         sync.Mutex
	identities []sealed.Identity
	keys       sealed.Keys
	have       bool
}

func (o *opener) prepare(ctx context.Context, a *Agent) ([]sealed.Identity, sealed.Keys, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.have {
		return o.identities, o.keys, nil
	}
	var all []sealed.Identity
	for _, f := range formats {
		switch i, err := identityOf(a.keys, f); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, sealed.Keys{}, err
		default:
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return nil, sealed.Keys{}, problem.New(problem.Conflict, "This machine has no key for sealed releases", "Ask for a new invitation for it, and enrol again in this folder")
	}
	l := a.link.Load()
	var set []byte
	if err := call(ctx, l.http, http.MethodGet, l.origin+sealed.KeysPath, nil, &set); err != nil {
		return nil, sealed.Keys{}, err
	}
	keys, err := sealed.ParseKeys(set)
	if err != nil {
		return nil, sealed.Keys{}, err
	}
	o.identities, o.keys, o.have = all, keys, true
	return all, keys, nil
}

// forget has the organisation's keys fetched again: it may have a new one.
func (o *opener) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.have = false
}

type nonceKey struct{}

// newNonce is what the manifest of the answer must name, so that an answer to
// another question cannot be put in its place.
func newNonce() string { return rand.Text() }

// unseal opens a sealed answer as it streams by. Nothing is handed on that was not
// authenticated; what is cut off, or whose manifest does not verify, is cut off for
// the client too, so that it never looks whole.
func (l *Local) unseal(resp *http.Response) error {
	manifest, opening := resp.Header.Get(manifestHeader), resp.Header.Get(openingHeader)
	ctx := resp.Request.Context()
	if manifest == "" && opening == "" {
		at, ok := ctx.Value(placeKey{}).(*place)
		if ok && at.sealed && resp.StatusCode/100 == 2 && resp.Request.Method != http.MethodHead && l.stillDemands(ctx, at.source) {
			return errNotSealed
		}
		return nil
	}
	identities, keys, err := l.opener.prepare(ctx, l.agent)
	if err != nil {
		return err
	}
	nonce, _ := ctx.Value(nonceKey{}).(string)
	e := sealed.Expect{Identities: identities, Keys: keys, Opening: opening, Nonce: nonce, Decision: id.Decision(resp.Header.Get(decisionHeader))}
	if opening == "" {
		e.Opening = manifest
	} else {
		e.Manifest = func() string { return resp.Trailer.Get(manifestHeader) }
	}
	body := resp.Body
	r, err := sealed.Open(body, e)
	if errors.Is(err, sealed.ErrNotSigned) {
		l.opener.forget()
	}
	if err != nil {
		return notOpened(err)
	}
	resp.Body = readCloser{r, body}
	resp.ContentLength = -1
	h := resp.Header
	h.Set("Content-Type", r.Opening().ContentType)
	for _, name := range []string{"Content-Length", "Trailer", manifestHeader, openingHeader} {
		h.Del(name)
	}
	h.Set(openedHeader, string(r.Opening().Format)) // for who wants to know how it came
	return nil
}

var errNotSealed = problem.New(problem.UpstreamFail, "The engagement demands sealed answers, and this one is not sealed", "Tell the organisation; nothing of it was handed on")

// stillDemands asks again whether answers must be sealed: what was demanded when it
// was last asked may have been given up since.
func (l *Local) stillDemands(ctx context.Context, source string) bool {
	return l.demandsSealing(source) && (l.learn(ctx) != nil || l.demandsSealing(source))
}

// notOpened says why a sealed answer is not handed on.
func notOpened(err error) error {
	var p *problem.Problem
	if errors.As(err, &p) {
		return p
	}
	switch {
	case errors.Is(err, sealed.ErrNotMine):
		return problem.New(problem.Conflict, "The answer is sealed to another key than this machine's",
			"Have this machine's keys noted: sallyport device get, then a new invitation").Because(err)
	case errors.Is(err, sealed.ErrTampered), errors.Is(err, sealed.ErrNotSigned), errors.Is(err, sealed.ErrReplayed):
		return problem.New(problem.UpstreamFail, "The sealed answer was changed on the way, or is not the organisation's: "+err.Error(),
			"Ask again; if it goes on, tell the organisation").Because(err)
	}
	return problem.New(problem.UpstreamFail, "The sealed answer cannot be opened", "Ask again; if it goes on, tell the organisation").Because(err)
}

// maxBatch bounds a batch's answer with sealed entries, which is read whole: the
// gateway answers batches of a megabyte.
const maxBatch = 64 << 20

// openEntries opens the sealed entries of a batch's answer and puts what was inside
// where it would stand unsealed. Each must answer the entry in whose place it is.
// demanded says whether what holds data must be sealed.
func (l *Local) openEntries(ctx context.Context, raw []byte, demanded func() bool) ([]byte, error) {
	var bundle map[string]json.RawMessage
	var entries []map[string]json.RawMessage
	if json.Unmarshal(raw, &bundle) != nil || bundle["entry"] == nil || json.Unmarshal(bundle["entry"], &entries) != nil {
		if !ownWords(raw) && demanded() {
			return nil, errNotSealed
		}
		return raw, nil
	}
	changed := false
	for i, e := range entries {
		opened, err := l.openEntry(ctx, e, i+1)
		if err != nil {
			return nil, err
		}
		if !opened && e["resource"] != nil && !ownWords(e["resource"]) && demanded() {
			return nil, errNotSealed
		}
		if opened {
			entries[i], changed = e, true
		}
	}
	if !changed {
		return raw, nil
	}
	var err error
	if bundle["entry"], err = marshal(entries); err != nil {
		return nil, fmt.Errorf("write a batch's answer: %w", err)
	}
	return marshal(bundle)
}

// ownWords reports whether a resource is of a kind that the gateway says of itself,
// which holds no patient data and is not sealed.
func ownWords(resource []byte) bool {
	var r struct {
		ResourceType string `json:"resourceType"`
	}
	return json.Unmarshal(resource, &r) == nil && (r.ResourceType == "OperationOutcome" || r.ResourceType == "CapabilityStatement")
}

func (l *Local) openEntry(ctx context.Context, e map[string]json.RawMessage, number int) (bool, error) {
	var response struct {
		Extension []struct {
			URL   string `json:"url"`
			Value string `json:"valueString"`
		} `json:"extension"`
		Status string `json:"status"`
	}
	var binary struct {
		ResourceType string `json:"resourceType"`
		Data         string `json:"data"`
	}
	if json.Unmarshal(e["response"], &response) != nil || len(response.Extension) != 1 || response.Extension[0].URL != manifestURL ||
		json.Unmarshal(e["resource"], &binary) != nil || binary.ResourceType != "Binary" {
		return false, nil
	}
	identities, keys, err := l.opener.prepare(ctx, l.agent)
	if err != nil {
		return false, err
	}
	nonce, _ := ctx.Value(nonceKey{}).(string)
	r, err := sealed.Open(base64.NewDecoder(base64.StdEncoding, strings.NewReader(binary.Data)),
		sealed.Expect{Identities: identities, Keys: keys, Opening: response.Extension[0].Value, Nonce: nonce, Entry: number})
	if err != nil {
		return false, notOpened(err)
	}
	inside, err := io.ReadAll(io.LimitReader(r, maxBatch+1))
	if err != nil || len(inside) > maxBatch {
		return false, notOpened(errors.Join(err, sealed.ErrTampered))
	}
	if e["response"], err = marshal(map[string]string{"status": response.Status}); err != nil {
		return false, fmt.Errorf("write a batch's answer: %w", err)
	}
	e["resource"] = inside
	return true, nil
}
