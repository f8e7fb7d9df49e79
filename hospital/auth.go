package hospital

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // ES256
	_ "crypto/sha512" // ES384, RS384
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Auth is what the server asks of its callers. Any one of the ways that are set
// lets a caller in; a client certificate is asked for besides. The zero value
// asks for nothing.
type Auth struct {
	Bearer   string // one fixed token
	User     string // HTTP basic, with Password
	Password string
	// Backend holds the public keys of SMART backend services by client id:
	// *ecdsa.PublicKey (ES256, ES384) or *rsa.PublicKey (RS384). Their tokens
	// come from auth/token below the base and live for five minutes.
	Backend map[string]crypto.PublicKey
	// Certificate demands a client certificate that the TLS listener verified.
	Certificate bool
}

type authority struct {
	Auth
	clients map[string]crypto.PublicKey
	now     func() time.Time

	mu     sync.Mutex
	tokens map[string]time.Time // until when
	used   map[string]time.Time // jti, until when it is refused
}

func newAuthority(a Auth, now func() time.Time) *authority {
	return &authority{Auth: a, clients: a.Backend, now: now, tokens: map[string]time.Time{}, used: map[string]time.Time{}}
}

func (a *authority) describe() string {
	var ways []string
	for _, w := range []struct {
		set  bool
		text string
	}{{a.Bearer != "", "bearer token"}, {a.User != "", "HTTP basic"}, {a.clients != nil, "SMART backend services"}, {a.Certificate, "client certificate"}} {
		if w.set {
			ways = append(ways, w.text)
		}
	}
	return strings.Join(ways, ", ")
}

func (a *authority) challenge() string {
	if a.User != "" {
		return `Basic realm="hospital"`
	}
	return `Bearer realm="hospital"`
}

func (a *authority) allows(r *http.Request) bool {
	if a.Certificate && (r.TLS == nil || len(r.TLS.VerifiedChains) == 0) {
		return false
	}
	if a.Bearer == "" && a.User == "" && a.clients == nil {
		return true
	}
	if user, password, ok := r.BasicAuth(); ok && a.User != "" {
		return subtle.ConstantTimeCompare([]byte(user+":"+password), []byte(a.User+":"+a.Password)) == 1
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return false
	}
	if a.Bearer != "" && subtle.ConstantTimeCompare([]byte(token), []byte(a.Bearer)) == 1 {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	until, ok := a.tokens[token]
	return ok && a.now().Before(until)
}

// RevokeTokens ends every token that auth/token has given out, as a restarted
// authorization server does.
func (s *Server) RevokeTokens() {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	clear(s.auth.tokens)
}

func (a *authority) configuration(w http.ResponseWriter, base string) {
	if a.clients == nil {
		http.Error(w, "this server does not speak SMART", http.StatusNotFound)
		return
	}
	writePlain(w, http.StatusOK, obj{
		"token_endpoint":                                   base + "/auth/token",
		"grant_types_supported":                            list{"client_credentials"},
		"token_endpoint_auth_methods_supported":            list{"private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": list{"ES384", "RS384", "ES256"},
		"scopes_supported":                                 list{"system/*.rs", "system/*.read"},
		"capabilities":                                     list{"client-confidential-asymmetric", "permission-v2", "permission-v1"},
	})
}

func writePlain(w http.ResponseWriter, status int, tree obj) {
	h := w.Header()
	h["Content-Type"] = plainJSON
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(appendJSON(nil, tree))
}

// token answers a client_credentials request (SMART App Launch 2.2, Backend
// Services; RFC 7523).
func (a *authority) token(w http.ResponseWriter, r *http.Request, base string) {
	refuse := func(code string, err error) {
		writePlain(w, http.StatusBadRequest, obj{"error": code, "error_description": err.Error()})
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		refuse("invalid_request", errors.New("a token is asked for with a POST form"))
		return
	}
	f := r.PostForm
	switch {
	case f.Get("grant_type") != "client_credentials":
		refuse("unsupported_grant_type", errors.New("grant_type is client_credentials"))
		return
	case f.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		refuse("invalid_request", errors.New("client_assertion_type is jwt-bearer"))
		return
	case f.Get("scope") == "":
		refuse("invalid_scope", errors.New("scope is required"))
		return
	}
	if err := a.assertion(f.Get("client_assertion"), base+"/auth/token"); err != nil {
		refuse("invalid_client", err)
		return
	}
	raw := make([]byte, 24)
	_, _ = rand.Read(raw) // never fails
	token := hex.EncodeToString(raw)
	const lifetime = 300
	a.mu.Lock()
	for t, until := range a.tokens {
		if a.now().After(until) {
			delete(a.tokens, t)
		}
	}
	a.tokens[token] = a.now().Add(lifetime * time.Second)
	a.mu.Unlock()
	writePlain(w, http.StatusOK, obj{"access_token": token, "token_type": "bearer", "expires_in": lifetime, "scope": f.Get("scope")})
}

// assertion checks a client's signed JWT.
func (a *authority) assertion(jwt, audience string) error {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return errors.New("client_assertion is not a JWT")
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return errors.New("client_assertion is not base64url")
		}
		raw[i] = b
	}
	var header struct{ Alg, Typ, Kid string }
	var claims struct {
		Iss, Sub, Jti string
		Aud           any
		Exp           int64
	}
	if json.Unmarshal(raw[0], &header) != nil || json.Unmarshal(raw[1], &claims) != nil {
		return errors.New("client_assertion does not hold JSON")
	}
	key, ok := a.clients[claims.Iss]
	if !ok || claims.Iss != claims.Sub {
		return errors.New("iss and sub are not a client that is registered here")
	}
	if err := verify(header.Alg, key, []byte(parts[0]+"."+parts[1]), raw[2]); err != nil {
		return err
	}
	if !slices.Contains(asList(claims.Aud), any(audience)) {
		return errors.New("aud is not this token endpoint")
	}
	now, until := a.now(), time.Unix(claims.Exp, 0)
	if !now.Before(until) || until.After(now.Add(5*time.Minute+10*time.Second)) {
		return errors.New("exp is past, or more than five minutes ahead")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if claims.Jti == "" || now.Before(a.used[claims.Iss+" "+claims.Jti]) {
		return errors.New("jti is missing or was used")
	}
	for j, t := range a.used {
		if now.After(t) {
			delete(a.used, j)
		}
	}
	a.used[claims.Iss+" "+claims.Jti] = until.Add(time.Minute)
	return nil
}

func verify(alg string, key crypto.PublicKey, signed, sig []byte) error {
	hashes := map[string]crypto.Hash{"ES256": crypto.SHA256, "ES384": crypto.SHA384, "RS384": crypto.SHA384}
	h, ok := hashes[alg]
	if !ok {
		return errors.New("alg is none of ES384, RS384, ES256")
	}
	sum := h.New()
	sum.Write(signed)
	digest := sum.Sum(nil)
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		n := (key.Curve.Params().BitSize + 7) / 8
		if alg != fmt.Sprintf("ES%d", key.Curve.Params().BitSize) || len(sig) != 2*n {
			return errors.New("alg does not fit the client's key")
		}
		if !ecdsa.Verify(key, digest, new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:])) {
			return errors.New("the signature does not verify")
		}
		return nil
	case *rsa.PublicKey:
		if alg != "RS384" || rsa.VerifyPKCS1v15(key, h, digest, sig) != nil {
			return errors.New("the signature does not verify")
		}
		return nil
	}
	return errors.New("the client's key is of no kind that is known")
}
