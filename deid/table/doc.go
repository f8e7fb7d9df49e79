// Package table de-identifies tables: CSV and Parquet, by a rule for each column.
//
// [Rules] name the columns that may leave and what becomes of their values; a
// column that no rule names is removed, and a value that its rule cannot read
// becomes empty. Rules are data: strict YAML ([ReadRules]) with a digest, and a
// legal basis that they must satisfy before a row is read. Under safe-harbor
// (45 CFR 164.514(b)(2)) a column whose name says that it is one of the eighteen
// identifiers can be removed, or become a year, a ZIP prefix, a capped age or a
// code that was assigned at random; anything else is refused with the paragraph.
//
// [Transform] and [TransformParquet] carry the rules out. Before the first row
// leaves, what the columns' values look like is held against the rules, too;
// after that every value that is kept is looked at, and one that is an SSN, a
// telephone number, an address of mail, web or network, or (under Safe Harbor) a
// date becomes empty. Where the rules demand a risk of re-identification it is
// measured, and reached by suppression or generalisation, before anything is
// written: see package risk. The [Manifest] says what was done, in counts.
//
// [Inspect] says what the columns of a file probably hold, by the words of their
// names and the forms of their values, and [Propose] writes rules from it for a
// person to read.
//
// What it does not do. It does not know what a value means: a surname in a
// column called ward, in capitals and without a given name, passes if a rule
// keeps the column; so does a rare diagnosis. Years of events beside ages can
// show that somebody is over 89 by arithmetic; only a year itself is judged.
// Safe Harbor also asks that nobody has actual knowledge that what is left could
// identify a person (164.514(b)(2)(ii)): that is for people. Nothing here is
// legal advice. Free text is what the scrubber leaves of it, and is never called
// de-identified. Parquet with nested or repeated columns, encrypted columns,
// INT96 or fixed-length values other than UUIDs is refused where such a column
// is to leave; a page header that lies can make the Parquet library reserve up
// to 2 GB before it fails, so a file of strangers wants a limit from outside.
// Columns that a name or a value gives a kind cannot be declared harmless: a
// false alarm is mended by renaming the column in the source.
//
// No error, manifest or finding holds a value of the table. An error of the
// source or the destination is passed on as it is.
package table
