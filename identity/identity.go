// Package identity says who is calling: which device, by the key of its client
// certificate; which application, by its access token; which vendor both belong
// to; and under which grant they act.
//
// An outside application proves itself in two ways at once. Its device opens a
// TLS 1.3 connection with a client certificate whose public key the
// organisation has registered. The application signs a short-lived assertion
// with a key of its own (SMART App Launch 2, Backend Services; RFC 7523) and
// gets an access token for five minutes that works on connections of that one
// certificate and no other (RFC 8705, section 3), or with proofs of a key that
// the application keeps (RFC 9449), or both; see dpop.go. A token that is stolen,
// and a certificate that is stolen, are each worth nothing alone.
//
// The package answers only whether a caller is known. A device that was
// revoked, an application that was suspended, a grant that has ended are still
// known: the gates refuse them, so that the refusal can say why and what mends
// it. Who is not known gets a bare 401 (see WriteUnknown) and learns nothing.
//
// Errors and log records hold ids, digests and a Reason from a closed list.
// They never hold a token, an assertion, or what a library said about one.
package identity

import (
	"errors"
	"net/http"

	"github.com/sallyport/sallyport/problem"
)

// Reason says why a caller or an assertion was not accepted, for the owner's
// log. It is never sent to the caller. The list is closed.
type Reason string

// The reasons.
const (
	NotTLS                 Reason = "not-tls"                  // the request did not come over TLS
	NoCertificate          Reason = "no-certificate"           // no client certificate was presented
	CertificateUntrusted   Reason = "certificate-untrusted"    // no chain to a trusted authority for client use
	CertificateKeyWeak     Reason = "certificate-key-weak"     // its key is not of an accepted type and size
	CertificateExpired     Reason = "certificate-expired"      // it, or its issuer, is outside its validity by now
	SPIFFEInvalid          Reason = "spiffe-invalid"           // it names a SPIFFE id, but not exactly one well-formed one
	SPIFFEDomainUnknown    Reason = "spiffe-domain-unknown"    // its trust domain is not configured
	SPIFFEBundleUnreadable Reason = "spiffe-bundle-unreadable" // the trust domain's bundle cannot be read now
	SPIFFEOtherVendor      Reason = "spiffe-other-vendor"      // the trust domain is pinned to another vendor than the workload's
	DeviceUnknown          Reason = "device-unknown"           // no registered device has this key
	PersonUnknown          Reason = "person-unknown"           // no registered person has this key
	PersonOfVendor         Reason = "person-of-vendor"         // a vendor's person used an interface of the organisation
	TokenAbsent            Reason = "token-absent"             // no Authorization header
	TokenMalformed         Reason = "token-malformed"          // not one well-formed Bearer or DPoP token
	TokenInvalid           Reason = "token-invalid"            // signature, algorithm, type, issuer or audience is wrong
	TokenExpired           Reason = "token-expired"            // its time is over
	TokenFromFuture        Reason = "token-from-future"        // issued later than now: a clock went backwards
	TokenUnbound           Reason = "token-unbound"            // bound to no certificate and no key
	TokenBoundElsewhere    Reason = "token-bound-elsewhere"    // bound to another certificate or key: stolen, or mixed up
	TokenScheme            Reason = "token-scheme"             // presented by another scheme than its binding demands
	ProofAbsent            Reason = "proof-absent"             // no DPoP proof, where one is demanded
	ProofMalformed         Reason = "proof-malformed"          // not one well-formed proof with a public P-256 key
	ProofElsewhere         Reason = "proof-elsewhere"          // of another method, URL or token
	ProofStale             Reason = "proof-stale"              // made too long ago
	ProofFromFuture        Reason = "proof-from-future"        // made later than now
	ProofSignature         Reason = "proof-signature"          // its signature is wrong
	ProofNonce             Reason = "proof-nonce"              // it lacks a nonce of this process, or the nonce is old
	ProofReplayed          Reason = "proof-replayed"           // its jti was used before
	AppUnknown             Reason = "app-unknown"              // no registered application has this client_id
	AppVendorMismatch      Reason = "app-vendor-mismatch"      // the application and the device are of two vendors
	AppNotApproved         Reason = "app-not-approved"         // the application may not get tokens now
	GrantMismatch          Reason = "grant-mismatch"           // the grant does not exist or is another application's
	GrantAmbiguous         Reason = "grant-ambiguous"          // several grants, and none was named
	RequestMalformed       Reason = "request-malformed"        // not a token request
	GrantTypeUnsupported   Reason = "grant-type-unsupported"   // not one that is offered
	ScopeInvalid           Reason = "scope-invalid"            // no scope, or one that is not a SMART v2 scope
	AssertionMalformed     Reason = "assertion-malformed"      // not a compact JWS of an accepted algorithm
	AssertionKeyUnknown    Reason = "assertion-key-unknown"    // no registered key of the application fits it
	AssertionSignature     Reason = "assertion-signature"      // the signature is wrong
	AssertionClaims        Reason = "assertion-claims"         // iss, sub, aud or jti is missing or wrong
	AssertionExpired       Reason = "assertion-expired"        // its time is over
	AssertionTooLong       Reason = "assertion-too-long"       // it would live longer than five minutes
	AssertionFromFuture    Reason = "assertion-from-future"    // iat or nbf is later than now
	AssertionReplayed      Reason = "assertion-replayed"       // its jti was used before
	ReplayCacheFull        Reason = "replay-cache-full"        // no room to remember its jti, so it is refused
	ReplayCacheFailed      Reason = "replay-cache-failed"      // its jti could not be made durable, so it is refused
	SigningFailed          Reason = "signing-failed"           // the access token could not be signed
)

// The reasons of revocation, of tokens for people, and of UDAP.
const (
	TokenRevoked       Reason = "token-revoked"       // ended before its time
	TokenSession       Reason = "token-session"       // the person's session, or what they authorized in it, is over
	ClientPublic       Reason = "client-public"       // a public client asked for what needs a key, or the reverse
	CodeInvalid        Reason = "code-invalid"        // not a code of ours, too old, or another application's
	CodeMismatch       Reason = "code-mismatch"       // the redirect URI, the PKCE verifier or the device is another
	CodeReused         Reason = "code-reused"         // it came a second time: what it yielded has ended
	RefreshInvalid     Reason = "refresh-invalid"     // not a refresh token of ours, or another application's or device's
	RefreshReused      Reason = "refresh-reused"      // it came a second time: what it yielded has ended
	NotRecorded        Reason = "not-recorded"        // the registry refused the act, or did not answer
	PurposeMismatch    Reason = "purpose-mismatch"    // the purpose of use is none, not known, or not the engagement's
	StatementInvalid   Reason = "statement-invalid"   // not a well-formed software statement, or its claims are wrong
	StatementUntrusted Reason = "statement-untrusted" // its certificate leads to no authority of an approved connector
)

// Error makes a Reason the cause of a problem.
func (r Reason) Error() string { return string(r) }

// ReasonOf finds the Reason behind an error of this package, for the log.
func ReasonOf(err error) (Reason, bool) {
	var r Reason
	ok := errors.As(err, &r)
	return r, ok
}

// unknown is the problem for a caller that is not known. All are alike to the
// caller.
func unknown(r Reason) error {
	return problem.New(problem.Unknown, "The caller is not known", "").Because(r)
}

// WriteUnknown answers 401 and nothing else: no body, and in WWW-Authenticate
// (which RFC 9110, section 15.5.2, demands) no hint of what was wrong.
func WriteUnknown(w http.ResponseWriter) {
	h := w.Header()
	h.Set("WWW-Authenticate", "Bearer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusUnauthorized)
}
