// Package hl7v2 de-identifies HL7 version 2 messages (2.1 to 2.8) in their
// "pipe and hat" encoding: single messages, files of messages, batches
// (FHS, BHS, BTS, FTS) and MLLP frames, with any delimiters.
//
// Everything is removed that the tables (tables.go) do not know: a segment, a
// Z-segment, a field beyond the standard's, a component beyond its type's. What
// they know is ruled by its data type: a name, an address or a telephone number
// goes; an identifier becomes its code; a date follows the rule for dates; a
// code, a number, a unit stays if it has the form of one; words beside a code
// stay if the code system is public and the code has its form; free text is
// scrubbed, or goes where there is no scrubber. OBX-5 is ruled by OBX-2. An
// answer like "Positive" or "<5" of a laboratory stays without a scrubber.
//
// A message keeps its delimiters, line ends, order and positions. Empty fields
// at the end of a segment are left out. With the zero Codes, YearsOnly and no
// scrubber a second pass changes nothing.
//
// What it does not do: it does not check a message against its structure; it
// does not read XML encoding, nor characters that are not ASCII except as UTF-8
// (other text is removed). A code is trusted to be one: of a local system any
// word of at most 20 characters with fewer than nine digits, of no system the
// same, but of more than four letters only with a digit in it, or from a list;
// words beside a code of a public system that has its form are not looked at. Each repetition of a text is scrubbed alone, so a name that is cut in
// two by the line ends of several OBX segments is seen in two halves.
package hl7v2
