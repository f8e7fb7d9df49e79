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
// Reasons of acts and contents of documents are sealed with the act's id or the
// document's digest as associated data, so a sealed value moved to another row
// does not open. Records and acts are plain JSON: they hold no patient's data.
package store
