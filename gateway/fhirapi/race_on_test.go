//go:build race

package fhirapi

const raceDetector = true
