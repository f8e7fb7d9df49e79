// Package scan looks for patient data where it should not be: source trees,
// notebooks, logs, tables, prompts, messages, and the history of a repository.
//
// # What counts
//
// Code is full of words that are names, of numbers that look like telephones,
// and of e-mail addresses of people who are nobody's patient. So nothing is
// reported for its form alone, but a Social Security number of valid form. The
// rule is: an identifier, near a person or near health.
//
// Every candidate starts with the weight that its form and its label give it
// ("MRN: 12345" much, an e-mail address little). It gains from what stands
// within 800 bytes: other identifiers of other kinds (a name, a birth date and
// a number together are a person's record, whoever wrote it) and the language
// of the bedside ("denies chest pain", "metformin 500 mg"), which is not the
// language of health software ("patient", "diagnosis" weigh next to nothing).
// In a table or a JSON document the columns and keys are each other's
// neighbours. Only where several such words stand together does package text
// read the prose, and only in what is not code: strings and comments.
//
// Loses weight, or falls: what is reserved for examples (example.com, 555-01xx,
// the numbers that the SSA never issues or printed in advertisements), what a
// template or a random test would write (runs, repetitions, placeholders, John
// Doe), hashes, UUIDs, versions, loopback and private addresses.
//
// Names, dates and places in prose are one finding for a category and a
// stretch, with a count; so is a column of a table, a key of a JSON document, a
// type of FHIR resource and a kind of HL7 message. A thousand rows are not a
// thousand findings.
//
// # What comes out
//
// A Finding never holds a value: at most its first and last character and its
// length, and neither for values under six characters. Words of the file come
// out only where they are words of ours (a column's name is shown as the label
// that it was recognised by). The one exception is the path of the file.
//
// # What it does not do
//
// It does not prove absence: no finding means that these rules found none. It
// does not look into images, PDF, Office documents, archives (zip, tar) or
// databases (SQLite); it counts and names them as skipped. Of DICOM it reads
// the header's first elements, to say that it is a patient's image. In a git
// history it reads files, not commit messages. It reads English.
package scan
