// Package paper makes the product's own documents: certificates, agreements from
// their terms, notices. A Document says what is on the paper; PDF and DOCX draw it.
// The same Document drawn at the same time gives the same bytes, so that a digest
// stands for what was read.
//
// It is for documents about vendors, people of vendors and the organisation. A
// patient's name never comes here: notices to individuals are drawn with fields for a
// mail merge.
package paper

import "time"

// Document is a paper, in the order in which it is read.
type Document struct {
	Title    string
	Subtitle string
	// Issuer stands at the head, such as the organisation's name.
	Issuer string
	// Date is printed, and is the file's own date.
	Date time.Time
	Body []Block
	// Foot stands at the end of every page, beside the page's number.
	Foot string
}

// Block is a piece of a document: a closed set.
type Block interface{ block() }

// Heading begins a section. Level is 1 or 2.
type Heading struct {
	Level int
	Text  string
}

// Paragraph is text. A line break in it stays.
type Paragraph struct{ Text string }

// List is items, numbered or not.
type List struct {
	Numbered bool
	Items    []string
}

// Table has a head, and rows of as many cells.
type Table struct {
	Head []string
	Rows [][]string
	// Widths are shares of the line, one for each column; empty: even.
	Widths []float64
}

// Facts are names with their values, two columns without lines.
type Facts struct{ Rows [][2]string }

// SignatureLine is a place to sign, or who signed.
type SignatureLine struct {
	Party, Name, Title string
	At                 time.Time // zero: not signed yet
	Proof              string    // how, and by what it can be checked
}

// Note is set apart, for what the reader must not miss.
type Note struct{ Text string }

func (Heading) block()       {}
func (Paragraph) block()     {}
func (List) block()          {}
func (Table) block()         {}
func (Facts) block()         {}
func (SignatureLine) block() {}
func (Note) block()          {}
