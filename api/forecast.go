package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/forecast"
)

// Forecast is what stops, and what is due, if nobody acts.
type Forecast struct {
	Version uint64          `json:"version" doc:"The registry's version that was read"`
	From    time.Time       `json:"from"`
	Until   time.Time       `json:"until"`
	Stops   []forecast.Stop `json:"stops" doc:"The earliest first"`
}

type forecastDays struct {
	Days int `query:"days" minimum:"1" maximum:"730" default:"30" doc:"How far to look"`
}

func (s *server) forecasts() {
	huma.Register(s.api, huma.Operation{OperationID: "forecast", Method: http.MethodGet, Path: "/v1/forecast", Tags: []string{"decisions"},
		Summary: "What stops, and what is due, in the next days if nobody acts"},
		func(_ context.Context, in *forecastDays) (*struct{ Body Forecast }, error) {
			return &struct{ Body Forecast }{s.ahead(in.Days)}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "forecast-calendar", Method: http.MethodGet, Path: "/v1/forecast.ics", Tags: []string{"decisions"},
		Summary: "The forecast as an iCalendar object"},
		func(_ context.Context, in *struct {
			Days int `query:"days" minimum:"1" maximum:"730" default:"90" doc:"How far to look"`
		}) (*struct {
			ContentType string `header:"Content-Type"`
			Body        []byte
		}, error) {
			f := s.ahead(in.Days)
			return &struct {
				ContentType string `header:"Content-Type"`
				Body        []byte
			}{forecast.MediaType, forecast.Calendar(f.Stops, hostOf(s.Gateway), f.From)}, nil
		})
}

func (s *server) ahead(days int) Forecast {
	v, now := s.Registry.View(), s.Now().UTC()
	f := Forecast{Version: v.Version(), From: now, Until: now.AddDate(0, 0, days)}
	if f.Stops = forecast.Of(s.Policy, v, f.From, f.Until); f.Stops == nil {
		f.Stops = []forecast.Stop{}
	}
	return f
}

// hostOf is the host of an address that the configuration was checked for.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return "sallyport"
	}
	return u.Hostname()
}
