package identity

// Next is the way out, for whoever reads the owner's log: what to do, and where it
// is not plain, who. The stranger at the door is not told. Every Reason has one; an
// unknown Reason has the answer for what should not happen.
func (r Reason) Next() string {
	if s, ok := nextSteps[r]; ok {
		return s
	}
	return "Tell the operator: this reason has no way out on record"
}

var nextSteps = map[Reason]string{
	NotTLS:                 "Connect with TLS 1.3",
	NoCertificate:          "Connect with the client certificate of an enrolled device: sallyport agent enroll",
	CertificateUntrusted:   "Use the certificate that this organisation issued, or have the vendor's trust domain configured",
	CertificateKeyWeak:     "Make a P-256, P-384 or RSA key of at least 2048 bits, and enrol it",
	CertificateExpired:     "Renew the certificate; a device that was off for too long needs a new invitation: sallyport device invite",
	SPIFFEInvalid:          "Have the issuer put exactly one SPIFFE id into the SVID",
	SPIFFEDomainUnknown:    "Configure the trust domain for its vendor (spiffe), or use a registered device",
	SPIFFEBundleUnreadable: "Restore the trust domain's bundle file on the server",
	SPIFFEOtherVendor:      "Use a trust domain of the workload's own vendor",
	DeviceUnknown:          "Enrol the device, and have it approved: sallyport device invite",
	PersonUnknown:          "Have the key registered and approved: sallyport person register-key",
	PersonOfVendor:         "Use the vendor's side: sallyport agent, or sign in at the pages for people",
	TokenAbsent:            "Ask for a token first, at the token endpoint",
	TokenMalformed:         "Send one token, in the Authorization header",
	TokenInvalid:           "Ask for a new token at this server's token endpoint",
	TokenExpired:           "Ask for a new token; one lasts at most five minutes",
	TokenFromFuture:        "Set the server's clock, then ask for a new token",
	TokenUnbound:           "Ask for a token over the connection that will use it",
	TokenBoundElsewhere:    "Ask for a token with this device's certificate and key; if nobody mixed them up, look into a theft: sallyport hold place",
	TokenScheme:            "Send a token that is bound to a key with the scheme DPoP, any other as Bearer",
	ProofAbsent:            "Send a DPoP proof with each request",
	ProofMalformed:         "Make the proof anew, with a public P-256 key (RFC 9449, section 4.2)",
	ProofElsewhere:         "Make the proof for this method, URL and token",
	ProofStale:             "Make a proof for each request, and set the client's clock",
	ProofFromFuture:        "Set the client's clock",
	ProofSignature:         "Sign the proof with the key that stands in it",
	ProofNonce:             "Put the nonce of the header DPoP-Nonce into the proof",
	ProofReplayed:          "Make a new proof for each request; if the client does, look into a theft: sallyport hold place",
	AppUnknown:             "Register the program, and have it approved: sallyport app register",
	AppVendorMismatch:      "Use a program and a device of one vendor",
	AppNotApproved:         "See its state (sallyport app get): one that is proposed is approved by a second person; one that has ended stays ended",
	GrantMismatch:          "Name a grant of this program, or ask for one: sallyport grant request",
	GrantAmbiguous:         "Name the grant in the token request",
	RequestMalformed:       "Send the form of RFC 6749, each parameter once",
	GrantTypeUnsupported:   "Use a grant type of the server's metadata",
	ScopeInvalid:           "Ask for SMART v2 scopes, such as system/*.rs",
	AssertionMalformed:     "Send a client assertion, signed with ES384, RS384 or ES256, with its kid",
	AssertionKeyUnknown:    "Sign with a registered key, or have the new one approved: sallyport app rotate-keys",
	AssertionSignature:     "Sign with the registered private key; if that was done, have the keys compared by telephone",
	AssertionClaims:        "Set iss and sub to the client id, aud to the token endpoint, and a new jti",
	AssertionExpired:       "Make an assertion for each request, and set the client's clock",
	AssertionTooLong:       "Let an assertion live for at most five minutes",
	AssertionFromFuture:    "Set the client's clock",
	AssertionReplayed:      "Make a new assertion for each request; if the client does, look into a theft: sallyport hold place",
	ReplayCacheFull:        "Try again in five minutes; if nobody floods the endpoint, tell the operator",
	ReplayCacheFailed:      "Make room on the server's disk, or mend it",
	SigningFailed:          "Look at the server's token key",
	TokenRevoked:           "Ask for a new token, if whoever revoked it agrees",
	TokenSession:           "The person signs in again and lets the application act again",
	ClientPublic:           "A public client sends its client_id and no assertion; any other an assertion",
	CodeInvalid:            "Begin again at the authorization endpoint; a code lasts a minute",
	CodeMismatch:           "Bring the code with the redirect URI, the PKCE verifier and the device that it was asked for with",
	CodeReused:             "Begin again at the authorization endpoint; if the application did not bring it twice, look into a theft",
	RefreshInvalid:         "Begin again at the authorization endpoint",
	RefreshReused:          "Begin again at the authorization endpoint; if the application did not use it twice, look into a theft",
	NotRecorded:            "Look at the registry's database and log, then try again",
	PurposeMismatch:        "Name the purpose of use that the engagement permits, in the assertion's hl7-b2b extension",
	StatementInvalid:       "Make the software statement anew (UDAP dynamic client registration)",
	StatementUntrusted:     "Have the community's authority registered for the vendor: sallyport connector register",
}
