// Package store keeps the registry on SQLite or PostgreSQL.
//
// One code path serves both: portable SQL, one folder of migrations, and a
// conformance suite that runs on each. What differs is in open.go: how to
// connect, how a placeholder is written, and how another process's act is heard
// of.
//
// SQLite runs with a write-ahead log, every commit synced (synchronous=FULL),
// and write transactions that begin as such, so two processes on one file wait
// for each other instead of failing half-way. PostgreSQL transactions are READ
// COMMITTED: the row in table head serialises acts by itself.
//
// Reasons of acts and contents of documents are sealed. The associated data is
// the document's digest, or the act's id and digest, which covers the act and
// what it changed: a sealed value moved to another row does not open, and a row
// made or altered by someone without the key is refused by the registry when it
// reads it. Records and acts are plain JSON: they hold no patient's data. The
// tables of the nouns are for people and reports to query; the registry itself
// reads acts and revisions.
package store
