package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// tables names the table of each noun's present rows. Every one has the same
// columns, and a test holds this list to snapshot.Nouns and to the schema.
var tables = map[snapshot.Noun]string{
	snapshot.NounVendor:        "vendors",
	snapshot.NounAssessment:    "assessments",
	snapshot.NounCertification: "certifications",
	snapshot.NounAgreement:     "agreements",
	snapshot.NounEngagement:    "engagements",
	snapshot.NounDetermination: "determinations",
	snapshot.NounPerson:        "persons",
	snapshot.NounTraining:      "trainings",
	snapshot.NounDevice:        "devices",
	snapshot.NounApp:           "apps",
	snapshot.NounRole:          "roles",
	snapshot.NounGrant:         "grants",
	snapshot.NounReview:        "reviews",
	snapshot.NounHold:          "holds",
	snapshot.NounConnector:     "connectors",
	snapshot.NounSession:       "sessions",
	snapshot.NounAttestation:   "attestations",
	snapshot.NounPosture:       "postures",
	snapshot.NounKey:           "engagement_keys",
	snapshot.NounQuestionnaire: "questionnaires",
	snapshot.NounLink:          "links",
	snapshot.NounFinding:       "findings",
	snapshot.NounCourse:        "courses",
	snapshot.NounAttempt:       "attempts",
	snapshot.NounRequest:       "requests",
	snapshot.NounCampaign:      "campaigns",
	snapshot.NounEmergency:     "emergencies",
	snapshot.NounIncident:      "incidents",
	snapshot.NounOffboarding:   "offboardings",
}

// put writes a record's present row and its revision.
func (s *Store) put(ctx context.Context, tx *sql.Tx, seq uint64, r snapshot.Record) error {
	table, ok := tables[r.Noun()]
	if !ok {
		return fmt.Errorf("no table for noun %q", r.Noun())
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode %s: %w", r.Noun(), err)
	}
	body := string(raw)
	if _, err := s.exec(ctx, tx, `INSERT INTO `+table+` (id, version, seq, state, body) VALUES (?, 1, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET version = `+table+`.version + 1, seq = excluded.seq, state = excluded.state, body = excluded.body`,
		r.Key(), seq, state(r), body); err != nil {
		return fmt.Errorf("put %s: %w", r.Noun(), err)
	}
	if _, err := s.exec(ctx, tx, `INSERT INTO revisions (noun, id, seq, body) VALUES (?, ?, ?, ?)`,
		string(r.Noun()), r.Key(), seq, body); err != nil {
		return fmt.Errorf("put revision of %s: %w", r.Noun(), err)
	}
	return nil
}

// state is the record's state for people who query the database; decisions
// read the body.
func state(r snapshot.Record) string {
	switch r := r.(type) {
	case *snapshot.Certification:
		return unless(r.RevokedAt, "revoked")
	case *snapshot.Attestation:
		return unless(r.RevokedAt, "revoked")
	case *snapshot.Training:
		return unless(r.RevokedAt, "revoked")
	case *snapshot.Review:
		return unless(r.CompletedAt, "completed")
	case *snapshot.Hold:
		return unless(r.LiftedAt, "lifted")
	case *snapshot.Session:
		return unless(r.EndedAt, "ended")
	case *snapshot.Key:
		switch {
		case r.Ordered():
			return "destroyed"
		case r.Destruction != nil:
			return "destruction-requested"
		}
		return "recorded"
	case *snapshot.Assessment, *snapshot.Posture:
		return "recorded"
	case *snapshot.Link:
		return unless(r.RevokedAt, "revoked")
	case *snapshot.Questionnaire:
		return string(r.Stage)
	case *snapshot.Finding:
		return unless(r.SettledAt, "settled")
	case *snapshot.Attempt:
		return string(r.Stage)
	case *snapshot.Request:
		return string(r.Stage)
	case *snapshot.Campaign:
		return unless(r.ClosedAt, "closed")
	case *snapshot.Emergency:
		return unless(r.ReviewedAt, "reviewed")
	case *snapshot.Incident:
		return unless(r.ClosedAt, "closed")
	case *snapshot.Offboarding:
		return unless(r.CompletedAt, "completed")
	default:
		return string(registry.StateOf(r))
	}
}

func unless(happened time.Time, word string) string {
	if happened.IsZero() {
		return "recorded"
	}
	return word
}

// present reads every present row.
func (s *Store) present(ctx context.Context, q querier) (out []snapshot.Record, err error) {
	for _, noun := range snapshot.Nouns {
		rows, err := q.QueryContext(ctx, `SELECT body FROM `+tables[noun]+` ORDER BY id`)
		if err != nil {
			return nil, err
		}
		if err := each(rows, func() error {
			var body string
			if err := rows.Scan(&body); err != nil {
				return err
			}
			r, err := registry.DecodeRecord(noun, []byte(body))
			out = append(out, r)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}
