package vault

import (
	"sync"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// Usage counts the distinct patients whose data a grant has received, exactly,
// so that a cap on them holds (minimum necessary: 45 CFR 164.502(b)). It lives
// in memory; the audit log is what it is rebuilt from at start, by Load for
// every patient of every release and Loaded at the end. Until Loaded it refuses:
// a count that is not complete is too low.
//
// A reservation stays if the release then fails. That errs to the safe side,
// and the next start counts only what left.
//
// The zero value is ready for Load. It is safe for concurrent use.
type Usage struct {
	mu     sync.RWMutex
	loaded bool
	grants map[id.Grant]*seen
}

type seen struct {
	mu       sync.Mutex
	patients map[seal.PatientKey]struct{}
}

// Load adds patients that the audit log says have left under the grant.
func (u *Usage) Load(grant id.Grant, patients ...seal.PatientKey) {
	s := u.of(grant)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range patients {
		s.patients[p] = struct{}{}
	}
}

// Loaded says that the whole log has been read.
func (u *Usage) Loaded() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.loaded = true
}

// Count is how many distinct patients the grant has had.
func (u *Usage) Count(grant id.Grant) int {
	u.mu.RLock()
	s := u.grants[grant]
	u.mu.RUnlock()
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.patients)
}

// New is how many of these patients the grant has not had yet.
func (u *Usage) New(grant id.Grant, patients []seal.PatientKey) int {
	u.mu.RLock()
	s := u.grants[grant]
	u.mu.RUnlock()
	if s == nil {
		s = &seen{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missing(patients)
}

// Reserve adds all of the patients to the grant's, or, where there would be more
// than limit, none, and says so. Two requests at once cannot pass the limit
// together. It returns how many were new. A limit of zero allows nobody.
func (u *Usage) Reserve(grant id.Grant, patients []seal.PatientKey, limit int) (added int, err error) {
	u.mu.RLock()
	loaded := u.loaded
	u.mu.RUnlock()
	if !loaded {
		return 0, problem.New(problem.Unavailable, "the count of distinct patients is still being rebuilt from the audit log",
			"Try again in a moment")
	}
	s := u.of(grant)
	s.mu.Lock()
	defer s.mu.Unlock()
	added = s.missing(patients)
	if len(s.patients)+added > limit {
		return 0, ErrLimit
	}
	if added > 0 {
		for _, p := range patients {
			s.patients[p] = struct{}{}
		}
	}
	return added, nil
}

// ErrLimit is what Reserve refuses with.
var ErrLimit error = problem.New(problem.Refused, "this would be more distinct patients than the grant allows",
	"Ask the organisation for a larger grant, with the reason why more patients are necessary")

// missing counts the distinct patients that are not in s.
func (s *seen) missing(patients []seal.PatientKey) int {
	n := 0
	if len(patients) <= 16 { // nearly every request: no map
		for i, p := range patients {
			if _, ok := s.patients[p]; !ok && !contains(patients[:i], p) {
				n++
			}
		}
		return n
	}
	fresh := make(map[seal.PatientKey]struct{}, len(patients))
	for _, p := range patients {
		if _, ok := s.patients[p]; !ok {
			fresh[p] = struct{}{}
		}
	}
	return len(fresh)
}

func contains(list []seal.PatientKey, p seal.PatientKey) bool {
	for i := range list {
		if list[i] == p {
			return true
		}
	}
	return false
}

func (u *Usage) of(grant id.Grant) *seen {
	u.mu.RLock()
	s := u.grants[grant]
	u.mu.RUnlock()
	if s != nil {
		return s
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if s := u.grants[grant]; s != nil {
		return s
	}
	if u.grants == nil {
		u.grants = map[id.Grant]*seen{}
	}
	s = &seen{patients: map[seal.PatientKey]struct{}{}}
	u.grants[grant] = s
	return s
}
