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
)
