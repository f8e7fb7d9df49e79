// Package fhir reads FHIR R4 as it comes over the wire: documents, references
// and searches. It is pure: no I/O of its own, no clock, no goroutines.
//
// It is strict where leniency would let two readers of one document disagree:
// duplicate member names, invalid UTF-8, unknown parameters, escaped paths are
// refused, because what the policy understood must be what the upstream does. It
// never quotes content in an error: content can be patient data.
//
// A document passes through two readers. jsontext checks it once, in full (syntax,
// UTF-8, duplicate names). What has passed is then searched by a scanner (Members,
// Items) that only finds where values begin and end; it is bounds-safe on anything,
// but right only on what was checked.
package fhir
