// Package registry holds what the organisation agreed with its vendors, and
// the acts that change it.
//
// An act is a Go struct from a closed set; the table in acts.go gives each its
// name, route, command and the duties that may do it. The life of an act, told
// by Do:
//
//	policy (Cedar: duties, separation of duties)
//	-> check against the view -> apply to an edit of the view
//	-> ONE transaction: act, rows, revisions, outbox
//	-> audit log, idempotent by act id -> outbox cleared with the log index
//	-> the new view, published by one atomic pointer
//
// What a crash can leave behind is an act in the outbox. Open and Run bring it
// to the log before they publish anything, so a view is never ahead of the log,
// and no committed act is lost.
//
// # Several processes on one database
//
// Acts form one sequence. The transaction of act n+1 succeeds only if the
// sequence stands at n, and a node only builds n+1 on a view that it published,
// which means that act n is in a log. So acts are strictly serial, whichever
// node performs them, and each is checked against all that came before.
//
// Each node has an audit log of its own, and the act's row names the node whose
// log has its entry. The outbox row names the node that committed the act, and
// that node appends it. If the entry is still in the outbox after TakeOver
// (the node died, or cannot write its log), any other node claims the row,
// one by compare-and-swap, and appends it to its own log. A node that was only
// slow then finds that its row was claimed: its entry is a second mention of
// the same act id in its own log, and the act's row says which one counts.
// An act can thus be mentioned twice, and is never lost.
//
// A node learns of the others' acts by polling (and, on PostgreSQL, by NOTIFY),
// and confirms its view each time. If the database is down nothing is
// confirmed, and the gate "fresh" refuses by itself after the limit.
//
// # Whoever can write to the database
//
// The digest of an act covers what it changed, its sealed reason is bound to
// that digest, and the audit log holds it. A node reads acts, never the present
// rows, and checks each: a row made or altered without the node's key stops it.
// Open refuses a database that stands behind the log (Options.AtLeast), and
// Verify compares all of it with the log. Not covered: views of the past (At),
// which are read without that check and decide nothing.
//
// # People
//
// The organisation's people act by duties. Whoever asks does not approve. Two
// exceptions start an empty registry, each an act of its own in the log:
// "organisation.bootstrap" makes the first person, an operator, and
// "organisation.second-person" lets that person admit exactly one more, whom
// nobody else could approve. With two people a lost key cannot be replaced and
// a hold cannot be lifted by a third: enrol three.
package registry
