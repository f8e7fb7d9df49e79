// Package text finds and replaces what identifies a person in narrative text:
// clinical notes, letters, prompts.
//
// [Engine.Find] returns spans with a [Category], a [Reason] and a confidence;
// [Engine.Scrub] replaces them by what a [Replacer] says: [Masks], [YearsOnly] or
// [Surrogates]. A [Record] of what is already known of the patient is the strongest
// evidence there is: its values are found in every form that people write them in.
//
// How it works, in the order of the files: fold.go brings the text to plain ASCII,
// so that full-width digits, look-alike letters, combining marks and zero-width
// runes hide nothing; token.go cuts it into words and looks each up in the
// dictionary (deid/internal/lexicon) and the cue words of cues.go; find.go walks the
// words once and hands each to the rules that it can start (number.go, ids.go,
// mark.go, name.go, place.go, script.go) and to those of the record (record.go, typo.go,
// values.go). There is no model and no regular
// expression: what was found can be explained, and the same text gives the same
// spans on every machine.
//
// A typing error (a letter wrong, left out, put in, or two changed round) in a value
// of the record hides it seldom: typo.go says where which words are taken for a name
// of the record, values.go the same of addresses, hospitals and numbers.
//
// The text is judged as a whole in two ways. In clinical writing an unknown word
// with a capital is likelier a drug or a device than a person, elsewhere it is
// taken for a name. In a text all in one case the dictionary says which words
// would have a capital.
//
// # What it does not do
//
// It misses things. It cannot know a name that is a plain word and stands without
// a cue ("Art came in", "Rose was seen"), a nickname, a place that only the
// neighbours know, or a person described rather than named ("the mayor's wife").
//
// Of the record's names it misses a typing error that makes an English word, where
// no other name of the record and no title, label or possessive stands beside it
// ("Normal came in", of Norman), and beside one where that word is a very common one
// or a verb in small letters ("write smith", of White); in small letters and alone, one
// in a name of four letters, or that leaves four; any in a name of three; and two
// errors in one word, a space within a name, or one run together with another word. In
// an e-mail address, a date, a ZIP code or a record number of fewer than seven digits an
// error is not looked for.
// The figures in this package's tests are of labelled sets that were made, not of your
// notes: measure on those. Text that went through it is not de-identified in the
// sense of 45 CFR 164.514 by that alone, and nothing here says so.
//
// It is made for English. Dates, telephone numbers, checksummed national numbers and
// the plainest forms of names are found in some other languages, no more.
// Images, sound and what is encoded in the text (base64, markup) are for others.
//
// A sentence that calls something fictional and says that it is not a patient, a
// record or a telephone number is believed ([Record] values and numbers proved by
// check digits excepted), and so is one that calls a number invalid whose check digits
// say so too. Who can write the text can so hide a value from the engine; it is a
// sieve for honest text, and no filter against a writer who means to smuggle.
//
// Nothing of the text is in an error.
package text
