package gateway

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are counted by words of closed lists only: no id is a label.
type metrics struct {
	requests *prometheus.CounterVec
	refusals *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	bytes    *prometheus.CounterVec
	unknown  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_gateway_questions_total",
			Help: "Questions, by protocol, interaction and outcome."}, []string{"protocol", "interaction", "outcome"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_gateway_refusals_total",
			Help: "Gates that refused a question; one question can be refused by several."}, []string{"gate"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sallyport_gateway_question_seconds",
			Help: "From the question's arrival to its last byte.", Buckets: prometheus.ExponentialBuckets(.0005, 2, 16)}, []string{"protocol", "interaction"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_gateway_released_bytes_total",
			Help: "Bytes that left."}, []string{"protocol", "interaction"}),
		unknown: prometheus.NewCounter(prometheus.CounterOpts{Name: "sallyport_gateway_unknown_callers_total",
			Help: "Requests of callers that are not known."}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.refusals, m.seconds, m.bytes, m.unknown} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(protocol, interaction, outcome string, gates []string, took time.Duration, bytes int64) {
	if interaction == "" {
		interaction = "unreadable"
	}
	m.requests.WithLabelValues(protocol, interaction, outcome).Inc()
	m.seconds.WithLabelValues(protocol, interaction).Observe(took.Seconds())
	m.bytes.WithLabelValues(protocol, interaction).Add(float64(bytes))
	for _, g := range gates {
		m.refusals.WithLabelValues(g).Inc()
	}
}
