// Package sallyport is the root of the module; it holds no code. The program
// is cmd/sallyport, and layers_test.go is the map of the rest.
package sallyport
