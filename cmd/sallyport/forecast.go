package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/sallyport/sallyport/api"
)

type forecastCmd struct {
	Days     int    `help:"How far to look." default:"30"`
	Calendar string `help:"Write an iCalendar file instead." placeholder:"FILE" type:"path"`
	JSON     bool   `name:"json" help:"Print JSON."`
	connection
}

// Run prints what stops if nobody acts.
func (c *forecastCmd) Run(ctx context.Context) error {
	days := "?days=" + strconv.Itoa(c.Days)
	if c.Calendar != "" {
		var raw []byte
		if err := c.call(ctx, http.MethodGet, "/v1/forecast.ics"+days, nil, &raw); err != nil {
			return err
		}
		if err := os.WriteFile(c.Calendar, raw, 0o600); err != nil {
			return fmt.Errorf("writing the calendar: %w", err)
		}
		return nil
	}
	var f api.Forecast
	if err := c.call(ctx, http.MethodGet, "/v1/forecast"+days, nil, &f); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(f)
	}
	if len(f.Stops) == 0 {
		fmt.Printf("Nothing stops, and nothing is due, until %s.\n", f.Until.Format(time.DateOnly))
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WHEN\tWHAT\tWHOSE TURN\tNEXT")
	for _, s := range f.Stops {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.At.Format("2006-01-02 15:04Z"), s.Title(), s.Who, s.Next)
	}
	return w.Flush()
}
