// Package audit is the tamper-evident record of every release and every act
// (45 CFR 164.312(b), audit controls; 164.316(b), six years).
//
// It is a Merkle tree (RFC 6962) in the C2SP tlog-tiles layout with signed
// checkpoints, and in front of it a write-ahead journal, because a release must
// wait for its entry to be durable and must not wait for a tree:
//
//	Begin, Append ... -> journal (group commit, one fdatasync for many) -> answer
//	                       \-> tiles, bundles, signed checkpoint, within a second
//
// The journal's sequence number is the log index. What the journal has
// acknowledged is replayed into the tree after a crash, without loss or doubles,
// because integration is a pure function of the entries in their order.
//
// The path of a release is in the types, so that its order cannot be got wrong:
//
//	Begin -> Pending -> Wait -> Ticket -> Complete -> Receipt -> bytes
//
// A Pending, Ticket or Receipt that was not made by the step before refuses.
//
// Entries have a strict schema without free text: ids, closed words, digests,
// counts, times. Patients appear as keyed pseudonyms only.
//
// Rejected: Tessera's write path. It keeps entries in memory until its future
// returns, 17 to 50 ms later at ordinary load, and keeps no order inside a
// batch, so a journal in front of it could not promise that its sequence is the
// log index. golang.org/x/mod's tlog hashes and note signatures are what it
// needs; the tree's growing edge is a few hundred hashes (tree.go).
//
// Limit: whoever holds the log key can sign a second history. Clients keep the
// last checkpoint they saw, and `sallyport verify --since` finds a rollback or a
// fork; until witnesses cosign, a fork shown to different readers is not found.
package audit
