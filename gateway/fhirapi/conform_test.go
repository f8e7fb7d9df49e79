package fhirapi

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/gatewaytest"
	"github.com/sallyport/sallyport/hospital"
)

func TestConformance(t *testing.T) {
	gatewaytest.Conform(t, gatewaytest.Case{
		Protocol: func() gateway.Protocol { return New("test", "") },
		Short: func(code string) gatewaytest.Ask {
			return gatewaytest.Ask{Method: http.MethodGet, Path: "/Patient/" + code}
		},
		Long: func(code string) gatewaytest.Ask {
			return gatewaytest.Ask{Method: http.MethodGet, Path: "/Observation?patient=" + code}
		},
		Longest: func(size int64, rate int) hospital.Fault {
			return hospital.Fault{Path: "Observation", Huge: size, Rate: rate}
		},
	})
}
