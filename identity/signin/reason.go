package signin

// Reason says why a sign-in was not accepted, for the organisation's log. The person
// is told only what they can do. The list is closed.
type Reason string

// Error makes a Reason the cause of a problem.
func (r Reason) Error() string { return string(r) }

// The reasons.
const (
	CeremonyForged     Reason = "ceremony-forged"      // its state was not sealed here, for this browser and this purpose
	CeremonyOver       Reason = "ceremony-over"        // it took longer than five minutes
	CeremonyUsed       Reason = "ceremony-used"        // its challenge was answered before
	PasskeyMalformed   Reason = "passkey-malformed"    // the answer is no WebAuthn answer, or too long
	PasskeyInvalid     Reason = "passkey-invalid"      // challenge, origin, relying party, signature or counter is wrong
	PasskeyOfOther     Reason = "passkey-of-other"     // it is nobody's, or another person's than it was asked of
	PasskeyNotVerified Reason = "passkey-not-verified" // the user was not present or not verified

	ProviderUnknown     Reason = "provider-unknown"     // no approved identity provider has this name
	ProviderUnreachable Reason = "provider-unreachable" // its metadata cannot be had, or is not as it must be
	ProviderRefused     Reason = "provider-refused"     // it sent an error, or no code
	ResponseInvalid     Reason = "response-invalid"     // no state, one of another sign-in, or a parameter twice
	ResponseMixedUp     Reason = "response-mixed-up"    // it is of another issuer than was asked (RFC 9207)
	CodeRefused         Reason = "code-refused"         // the provider gave no token for the code
	TokenInvalid        Reason = "token-invalid"        // signature, algorithm, issuer, audience, expiry or form is wrong
	TokenNonce          Reason = "token-nonce"          // its nonce is not that of the sign-in, or a logout token has one
	TokenParty          Reason = "token-party"          // it was issued to another party (azp)
	TokenTime           Reason = "token-time"           // issued in the future, or too long ago
	LoginUnknown        Reason = "login-unknown"        // nobody is registered with this subject of this provider
	LoginOfOther        Reason = "login-of-other"       // the person is another vendor's
	LogoutNoEvent       Reason = "logout-no-event"      // a logout token without the event
	LogoutReplayed      Reason = "logout-replayed"      // its jti was used before
)
