// Package disclosure says who was given what (45 CFR 164.528; 164.410(c)(1) and
// 164.404(c)(1) for a breach): which releases, of how many patients, in which class
// and form, sealed or not. It knows that from the audit log alone.
//
// Beside the log stands an index, because six years of a log cannot be read anew for
// each question. Everything in it is derived: it can be thrown away at any time and
// made again, and what it answers equals a slow recomputation from the entries. It
// follows the log from behind and never slows a request.
//
// # Files
//
// A segment covers segmentSize entries of the log, the n-th those from
// n*segmentSize on, and is one file, written whole and never changed. Its head
// carries the log's name, the tree's hash at its end and the digest of the head
// before it. So the index knows the log that it was made from: one that was cut, set
// back or exchanged does not have that hash, and the index is thrown away. What does
// not read is dropped with all that follows it and made again. The entries behind
// the last full segment are not on the disk but read from the log again at start:
// there is no half-written tail that a crash could leave.
//
// A row stands for each intent, outcome and refusal. The facts of a request repeat
// endlessly, so a row names them by a number (dict.go). What a query must look at,
// kind, facts, time, resource types and patients, is apart from what only a listing
// shows, so that a question about ten million entries reads a few hundred megabytes.
//
// # What can be said
//
// A release counts as disclosed when its outcome says released: its bytes might
// leave. Whether they arrived, the log cannot know. What was withheld does not
// count; of a stream that broke off, the chunks that had left do.
//
// Patients are the owner's keyed pseudonyms, one for a patient of one source
// whatever the engagement, so they can be counted across engagements and vendors. A
// patient of two sources has two, and counts twice. A release of several types names
// its patients once: the patients beside a type are those of all releases that hold
// it, which may be more than had a resource of it.
//
// The log is one node's. Where several nodes serve, each is asked, and pseudonyms are
// merged.
package disclosure
