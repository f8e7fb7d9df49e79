// Package cda de-identifies HL7 CDA Release 2 documents, C-CDA among them.
//
// Everything is removed that the table (table.go) does not know: an element, an
// attribute, another namespace but the few that C-CDA uses. What it knows is
// ruled by its data type, wherever it stands: a name, an address, a telecom
// goes or is cut; an identifier becomes its code; a time follows the rule for
// dates; a code, a number, a unit stays if it has the form of one, and
// displayName if the code system is public and the code has its form; text and
// narrative are scrubbed, or go where there is no scrubber. What the schema
// wants and is gone has nullFlavor MSK ("masked") in its place.
//
// The document stays well-formed and keeps its order. Comments, processing
// instructions, scripts and style sheets go; a document type declaration, a
// second root, an encoding that is not UTF-8 is refused: entities are a way to
// read files and to fill memory. Narrative that stays is plain text, a line for
// each paragraph, row or item: a name is then seen whole even where it was cut
// by markup. Links from entries into the narrative go with the markup.
//
// What it does not do: it does not validate against the schema or a template;
// non-XML bodies and observation media are removed, not read; a code of a local
// system is trusted to be a code if it is one word of at most 20 characters, and
// displayName beside a code of a public system is not looked at.
package cda
