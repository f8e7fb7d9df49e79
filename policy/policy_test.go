package policy_test

import "time"

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
