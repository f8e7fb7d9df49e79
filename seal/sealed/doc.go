// Package sealed is the form in which releases travel to their recipient: the
// keys of recipients, the two formats, the signed manifest, and how to open.
//
// It is what both ends have in common. The organisation's end (package seal)
// takes releases and signs; the vendor's end needs nothing but this package, its
// identity and the organisation's public keys.
//
// A sealed body is one encrypted stream, however long the answer is:
//
//	age        an age v1 file (C2SP age), for the post-quantum hybrid recipient
//	           mlkem768x25519; the stock age tool, 1.3 or later, opens it
//	age-x25519 the same for a recipient of older tools, without post-quantum secrecy
//	hpke-p256  HPKE (RFC 9180) with P-256 and AES-256-GCM, in frames; see hpke.go
//
// Encryption to a public key says nothing about who encrypted. So the
// organisation signs, twice: the opening, before the first byte, binds the
// body's preamble (its header and nonce, and with them the one key under which
// every chunk authenticates) to the decision and its ticket in the audit log;
// the manifest, at the end, binds the digest and length of all that left. An
// answer that is one release needs only the manifest, which serves as both.
//
// Reader hands on a chunk when it has authenticated under a signed preamble, and
// reports io.EOF when the manifest has verified: what ends with any other error
// is not final. A digest of the plaintext is not in the manifest, because a
// middlebox that reads it could try out guesses of a short answer; the
// organisation's audit log has it.
package sealed
