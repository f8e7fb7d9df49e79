// Package risk measures how well the records of a table hide among each other,
// and coarsens a table until they hide well enough.
//
// A record is hidden by those that agree with it on every quasi-identifier:
// what an outsider could know of a person, such as sex, year of birth and ZIP
// prefix. They are its equivalence class. From the sizes of the classes follow
// k, the uniques and the three risks of El Emam (Guide to the De-Identification
// of Personal Health Information, CRC Press 2013, "Measuring the Probability of
// Re-Identification"), in the way that ARX computes them. The terms are
// explained at [Report].
//
// [Anonymise] searches the lattice of full-domain generalisations (Samarati
// 2001) for the one that loses least and reaches the goal with at most the
// permitted share of records suppressed: a globally optimal answer in the sense
// of OLA (El Emam et al., JAMIA 16(5), 2009), found in the order of the loss
// with predictive tagging along paths as in Flash (Kohlmayer et al. 2012).
//
// What it does not do. A figure says what follows from the quasi-identifiers
// that were named; it knows nothing of one that was not. HIPAA puts no number on
// a "very small" risk (45 CFR 164.514(b)(1)): an expert does. Local recoding,
// microaggregation, differential privacy and population estimates from a sample
// are not here. Of entropy l-diversity and t-closeness there is a measure, but
// no search: with suppression they are not monotone in the lattice, and an
// answer could not be called optimal.
//
// A [Table] holds patient data, in its own memory. A [Report] holds none: it has
// counts, shares, and the names of columns as the caller wrote them. No error
// here holds a value.
package risk
