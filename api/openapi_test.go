package api_test

import (
	"testing"

	"github.com/sallyport/sallyport/api"
)

// Every route registers: two types of one name would stop the server's start.
func TestTheRoutesRegister(t *testing.T) {
	if h := api.New(api.Config{Organisation: "Mercy Valley Health", Version: "test"}); h == nil {
		t.Fatal("no handler")
	}
}
