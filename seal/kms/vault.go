package kms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// transit is a key of Vault's Transit secrets engine, by its HTTP API.
type transit struct {
	base  *url.URL
	name  string
	mount string
	ns    string
	token func() (string, error) // read anew for each call: agents renew it
	http  *http.Client
}

var (
	vaultName  = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)
	vaultMount = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)
)

// openVault opens hashivault://KEY?engine=transit. The server is VAULT_SERVER_URL
// or VAULT_ADDR; the token VAULT_SERVER_TOKEN, VAULT_TOKEN, or better the content
// of the file that VAULT_TOKEN_FILE names, as a Vault agent renews it.
func openVault(_ context.Context, u *url.URL, o Options) (seal.KeyService, error) {
	if err := onlyParameters(u, "engine"); err != nil {
		return nil, err
	}
	t := &transit{name: strings.TrimPrefix(u.Host+u.Path, "/"), mount: "transit", ns: o.Getenv("VAULT_NAMESPACE"), http: o.HTTP}
	if e := u.Query().Get("engine"); e != "" {
		t.mount = e
	}
	if !vaultName.MatchString(t.name) || !vaultMount.MatchString(t.mount) {
		return nil, problem.BadField("root_key", "names no key of Vault", "Write hashivault://KEY, and ?engine=PATH where the engine is not mounted at transit")
	}
	address := o.Getenv("VAULT_SERVER_URL")
	if address == "" {
		address = o.Getenv("VAULT_ADDR")
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.User != nil || base.Scheme != "https" && !(base.Scheme == "http" && local(base.Hostname())) {
		return nil, problem.BadField("root_key", "needs the address of Vault", "Set VAULT_ADDR to its https address in the environment of the program")
	}
	t.base = base
	t.token = func() (string, error) { return vaultToken(o.Getenv) }
	_, err = t.token()
	return t, err
}

// local: a Vault agent listens there, in the clear.
func local(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

func vaultToken(getenv func(string) string) (string, error) {
	if file := getenv("VAULT_TOKEN_FILE"); file != "" {
		f, err := os.Open(file)
		if err != nil {
			return "", problem.BadField("root_key", "the file that VAULT_TOKEN_FILE names cannot be read", "See that the Vault agent has written it, for this user").Because(err)
		}
		defer f.Close()
		raw, err := io.ReadAll(io.LimitReader(f, 16<<10))
		if token := strings.TrimSpace(string(raw)); err == nil && token != "" {
			return token, nil
		}
		return "", problem.BadField("root_key", "the file that VAULT_TOKEN_FILE names holds no token", "See that the Vault agent has written it").Because(err)
	}
	for _, name := range []string{"VAULT_SERVER_TOKEN", "VAULT_TOKEN"} {
		if token := getenv(name); token != "" {
			return token, nil
		}
	}
	return "", problem.BadField("root_key", "needs a token for Vault", "Set VAULT_TOKEN_FILE to a file with one, or VAULT_TOKEN, in the environment of the program")
}

// Encrypt implements seal.KeyService.
func (t *transit) Encrypt(ctx context.Context, plain []byte) ([]byte, error) {
	var out struct {
		Data struct {
			Ciphertext string `json:"ciphertext"`
		} `json:"data"`
	}
	if err := t.call(ctx, http.MethodPost, "encrypt", map[string][]byte{"plaintext": plain}, &out); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(out.Data.Ciphertext, "vault:v") {
		return nil, errors.New("vault: the answer holds no ciphertext")
	}
	return []byte(out.Data.Ciphertext), nil
}

// Decrypt implements seal.KeyService.
func (t *transit) Decrypt(ctx context.Context, box []byte) ([]byte, error) {
	var out struct {
		Data struct {
			Plaintext []byte `json:"plaintext"`
		} `json:"data"`
	}
	if err := t.call(ctx, http.MethodPost, "decrypt", map[string]string{"ciphertext": string(box)}, &out); err != nil {
		return nil, err
	}
	if len(out.Data.Plaintext) == 0 {
		return nil, errors.New("vault: the answer holds no plaintext")
	}
	return out.Data.Plaintext, nil
}

// State implements seal.KeyService. Vault deletes at once: it knows no waiting.
func (t *transit) State(ctx context.Context) (seal.ServiceState, error) {
	var out struct {
		Data struct {
			Name string `json:"name"`
		} `json:"data"`
	}
	err := t.call(ctx, http.MethodGet, "keys", nil, &out)
	var status *vaultStatus
	if errors.As(err, &status) && status.code == http.StatusNotFound {
		return seal.ServiceState{State: seal.StateDestroyed}, nil
	}
	if err != nil {
		return seal.ServiceState{}, err
	}
	if out.Data.Name != t.name {
		return seal.ServiceState{}, errors.New("vault: the answer is about another key")
	}
	return seal.ServiceState{State: seal.StateEnabled}, nil
}

// vaultStatus is an answer that is no success. Vault's own words stay out: they
// may quote what was sent.
type vaultStatus struct{ code int }

func (s *vaultStatus) Error() string {
	return fmt.Sprintf("vault: status %d %s", s.code, strings.ToLower(http.StatusText(s.code)))
}

func (t *transit) call(ctx context.Context, method, verb string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, t.base.JoinPath("v1", t.mount, verb, t.name).String(), body)
	if err != nil {
		return err
	}
	token, err := t.token()
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", token)
	req.Header.Set("X-Vault-Request", "true")
	if t.ns != "" {
		req.Header.Set("X-Vault-Namespace", t.ns)
	}
	// A redirect would carry the token and the key to another place.
	hc := *t.http
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := hc.Do(req)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return &vaultStatus{resp.StatusCode}
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return errors.New("vault: the answer cannot be read") // the decoder's error may quote it
	}
	return nil
}
