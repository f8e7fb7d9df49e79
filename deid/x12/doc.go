// Package x12 de-identifies X12 interchanges of health care: claims (837),
// remittances (835), eligibility (270, 271), claim status (276, 277), enrolment
// (834) and their kin, version 4010 and later.
//
// Everything is removed that the table (table.go) does not know: a segment, an
// element, a component. What it knows is ruled by what it is: names, addresses,
// numbers of persons and organisations, dates, amounts, codes, text. Delimiters
// are those of ISA; segments keep their order and elements their positions.
//
// A date has no shorter form in these transactions than CCYYMMDD. Where only
// the year may stay, the first of January stands for it, and midnight for a
// time that must be there. The control numbers of interchanges, groups and
// transactions are numbered anew, and SE01 counts the segments that are left.
// With the zero Codes, YearsOnly and no scrubber a second pass changes nothing.
//
// What it does not do: it does not check a transaction against its guide; a
// code is trusted to be one if it is one word of at most 20 characters with
// fewer than nine digits, and of more than four letters only with a digit in it,
// or from a list.
package x12
