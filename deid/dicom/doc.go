// Package dicom de-identifies DICOM files (PS3.10) by the Application Level
// Confidentiality Profile of PS3.15 Annex E: its Basic Profile, and the options
// that a [Profile] turns on.
//
//	d, err := dicom.New(dicom.Options{Profile: p, UIDs: uids, Codes: codes})
//	m, err := d.File(w, file)
//
// A file is decided on as a whole before its first byte is written: an error
// means that nothing was. Every data element is ruled on, at any depth of
// sequences, by the first of these that applies:
//
//  1. Table E.1-1 names it (617 attributes): the table's action, changed by the
//     options. Overlays (60xx), curves (50xx) and private groups go by rule.
//  2. Its tag is not in the dictionary of PS3.6, or its value representation is
//     another than the dictionary's: removed.
//  3. It holds numbers, or is a code string (CS) or a decimal or integer string
//     (DS, IS) that looks like one: kept, but for a few in lists.go that are ids.
//  4. It is a UID: kept if DICOM itself registered it, replaced otherwise.
//  5. It is a date or a time: as the date options say of those that the table
//     names, removed without them.
//  6. It is text (AE, LO, LT, PN, SH, ST, UC, UR, UT), bytes (OB, OW, UN) or an
//     age (AS): kept if a short list in lists.go names it, such as the
//     manufacturer or a convolution kernel; through the Cleaner if descriptors
//     are cleaned and it is prose (LT, ST, UC, UT); removed otherwise, or made a
//     dummy where it must not be missing. The standard would keep it.
//
// Rule 6 is stricter than Annex E, which keeps what its table does not name: a
// vendor writes what it likes into a text attribute that nobody thought of.
// An empty value says nothing and is kept. The code of a code sequence is kept
// if it looks like one, its meaning if the coding scheme is a public one.
//
// Where the table leaves a choice (X/Z, X/D, X/Z/D, Z/D, X/Z/U*), it depends on
// whether the attribute must be there (its type in the IOD). iod.go lists the
// types of the plain image IODs; everywhere else, as in sequences, the choice is
// the one that is valid in every IOD: D before Z before X. A dummy tells no more
// than an absence does, and a file that no viewer opens is of no use.
//
// Sequences: X removes one, Z empties it, U, C and K go through its items, K
// keeping the text in them, C cleaning it. D leaves one item in which every
// value is a dummy.
//
// Pixel data. A file of a kind that commonly has names burned in (ultrasound,
// secondary capture, visible light, anything that is not on the list of kinds
// that do not), or that says so itself, is refused unless a [Mask] fits its
// device. A mask blanks rectangles of native and of RLE compressed pixel data;
// other compressed pixel data must be decompressed first. Comments and
// application segments inside JPEG and JPEG 2000 streams are blanked; video is
// refused. Bits of a pixel outside those stored, where overlays were once
// hidden, are cleared, and bytes behind the last frame are cut off. Encapsulated
// documents (PDF, CDA, models) and DICOMDIR are refused.
//
// What this package does not do: it does not look for text in pixels, nor for a
// face in a head scan (Clean Recognizable Visual Features, 113102); it
// decompresses nothing but RLE, and that only for a mask; it refuses files that
// are not in the file format of PS3.10 (no preamble, no transfer syntax), and
// mends none. It does not know the types of attributes in every IOD, see above.
// It trusts a code to be a code: a surname in capitals is a valid code string.
// A rectangle that was drawn too small lets text through: look at masked images
// before a mask goes into use.
package dicom
