package registry

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// ProposeCourse asks to let a course that is taught elsewhere count as training.
type ProposeCourse struct {
	ID            id.Course `json:"id"`
	Course        string    `json:"course"` // as completions name it
	Version       string    `json:"version"`
	Title         string    `json:"title"`
	Activity      string    `json:"activity,omitempty"` // IRI in xAPI statements
	Covers        []string  `json:"covers"`             // modules of the syllabus, M1 to M6
	PassMark      float64   `json:"pass_mark"`          // 0: the course has no test
	RefreshMonths int       `json:"refresh_months"`     // policy
	Document      string    `json:"document_sha256,omitempty"`
	// Material: older versions of this course lapse when GraceEnds has come.
	Material  bool      `json:"material,omitempty"`
	GraceEnds time.Time `json:"grace_ends,omitzero"`
}

// Subject implements Act.
func (a ProposeCourse) Subject() snapshot.Subject { return subject(snapshot.NounCourse, a.ID) }

func (a ProposeCourse) documents() []string { return []string{a.Document} }

func (a ProposeCourse) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := first(fresh("id", v.Courses, a.ID), required("course", a.Course, `"privacy-101"`), required("version", a.Version, `"3"`),
		required("title", a.Title, `"Privacy for contractors"`), checkModules("covers", a.Covers, true), share("pass_mark", a.PassMark),
		optionalDigest("document_sha256", a.Document), checkGrace(a.Material, a.GraceEnds, now)); err != nil {
		return err
	}
	if a.RefreshMonths < 1 || a.RefreshMonths > 60 {
		return badField("refresh_months", "is not between 1 and 60", "12 is usual (policy; HIPAA sets no interval)")
	}
	if a.Course == v.Settings.Course {
		return badField("course", "is the organisation's own, which the configuration names", "Use course publish-version for it")
	}
	if a.Activity != "" {
		if u, err := url.Parse(a.Activity); err != nil || u.Scheme == "" || len(a.Activity) > MaxText {
			return badField("activity", "is not an IRI", "Copy it from the course's xAPI statements, such as https://lms.example.com/courses/privacy-101")
		}
		if err := shortText("activity", a.Activity); err != nil {
			return err
		}
	}
	for _, c := range v.Courses.All() {
		if c.State == snapshot.Ended {
			continue
		}
		if c.Course == a.Course && c.Version == a.Version {
			return conflict("version", fmt.Sprintf("Course %q is this one", string(c.ID)), "Retire that one first")
		}
		if a.Activity != "" && c.Activity == a.Activity { // a statement does not say which version
			return conflict("activity", fmt.Sprintf("Course %q has it", string(c.ID)), "Retire that one first")
		}
	}
	return nil
}

func checkModules(field string, modules []string, some bool) error {
	if some && len(modules) == 0 {
		return badField(field, "is empty", "Name the modules of the syllabus that it teaches, such as [M1, M2, M5]")
	}
	var known []string
	for _, m := range course.Modules {
		known = append(known, m.ID)
	}
	return first(each(field, modules, func(f, m string) error { return oneOf(f, m, known) }), unique(field, modules))
}

func share(field string, n float64) error {
	if !(n >= 0 && n <= 1) || math.IsNaN(n) {
		return badField(field, "is not between 0 and 1", "Write the share of right answers, such as 0.85")
	}
	return nil
}

func checkGrace(material bool, ends, now time.Time) error {
	switch {
	case material && ends.IsZero():
		return badField("grace_ends", "is missing", "Say until when older completions count")
	case !material && !ends.IsZero():
		return badField("grace_ends", "is for a material change", "Leave it out, or write material: true")
	case material:
		return first(set("grace_ends", ends), future("grace_ends", ends, now))
	}
	return nil
}

func (a ProposeCourse) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Course{ID: a.ID, Course: a.Course, Version: a.Version, Title: a.Title, Activity: a.Activity, Covers: slices.Sorted(slices.Values(a.Covers)),
		PassMark: a.PassMark, RefreshMonths: a.RefreshMonths, Document: a.Document, Material: a.Material, GraceEnds: a.GraceEnds.UTC(), Approval: asked(s)})
}

// ApproveCourse says that another person has looked at the course and lets it count.
type ApproveCourse struct {
	ID id.Course `json:"id"`
}

// Subject implements Act.
func (a ApproveCourse) Subject() snapshot.Subject { return subject(snapshot.NounCourse, a.ID) }

func (a ApproveCourse) apart(v *snapshot.View) []id.Person {
	if c, ok := v.Courses.Get(a.ID); ok {
		return []id.Person{c.RequestedBy}
	}
	return nil
}

func (a ApproveCourse) check(v *snapshot.View, _ Actor, _ time.Time) error {
	c, ok := v.Courses.Get(a.ID)
	if !ok {
		return found("id", v.Courses, a.ID)
	}
	return inState(fmt.Sprintf("Course %q", a.ID), c.State, snapshot.Proposed)
}

func (a ApproveCourse) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Courses, a.ID, func(c *snapshot.Course) { c.Approval = approved(c.Approval, s) })
}

// RetireCourse ends a course: completions of it count no longer, at once.
type RetireCourse struct {
	ID id.Course `json:"id"`
}

// Subject implements Act.
func (a RetireCourse) Subject() snapshot.Subject { return subject(snapshot.NounCourse, a.ID) }

func (a RetireCourse) check(v *snapshot.View, _ Actor, _ time.Time) error {
	c, ok := v.Courses.Get(a.ID)
	if !ok {
		return found("id", v.Courses, a.ID)
	}
	if c.Course == v.Settings.Course {
		return conflict("id", "It is a version of the organisation's own course, whose completions have lapsed or will", "Publish a newer version instead: course publish-version")
	}
	return inState(fmt.Sprintf("Course %q", a.ID), c.State, snapshot.Proposed, snapshot.Approved)
}

func (a RetireCourse) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Courses, a.ID, func(c *snapshot.Course) { c.State = snapshot.Ended })
}

// PublishVersion notes a new version of the organisation's own course. Where the change
// is material, completions of older versions lapse at the end of the grace (45 CFR
// 164.530(b)(2)(i)(C): within a reasonable period; how long is policy). It can only
// close: which versions count at least, the configuration says.
type PublishVersion struct {
	ID        id.Course `json:"id"`
	Version   string    `json:"version"`
	Title     string    `json:"title"` // what has changed
	Material  bool      `json:"material,omitempty"`
	GraceEnds time.Time `json:"grace_ends,omitzero"`
}

// Subject implements Act.
func (a PublishVersion) Subject() snapshot.Subject { return subject(snapshot.NounCourse, a.ID) }

func (a PublishVersion) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := first(fresh("id", v.Courses, a.ID), required("version", a.Version, `"2027"`), required("title", a.Title, `"State law of 2027 added"`),
		checkGrace(a.Material, a.GraceEnds, now)); err != nil {
		return err
	}
	if v.Settings.Course == "" || !course.VersionAtLeast(a.Version, v.Settings.CourseVersion) {
		return badField("version", "is older than the one that counts, or cannot be compared with it",
			fmt.Sprintf("Write numbers and dots, %s or later", cmp.Or(v.Settings.CourseVersion, "2026")))
	}
	if v.Settings.Course == course.Name && !course.VersionAtLeast(course.Edition, a.Version) {
		return badField("version", "is newer than the course that is built in: nobody could pass it", "Update the product first; it teaches "+course.Edition)
	}
	for _, c := range v.Courses.All() {
		if c.Course == v.Settings.Course && c.Version == a.Version && c.State != snapshot.Ended {
			return conflict("version", fmt.Sprintf("It was published as %q", string(c.ID)), "Publish a later version")
		}
	}
	return nil
}

func (a PublishVersion) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Course{ID: a.ID, Course: e.View().Settings.Course, Version: a.Version, Title: a.Title, Covers: []string{},
		PassMark: course.Current().PassMark, Material: a.Material, GraceEnds: a.GraceEnds.UTC(), Approval: approved(asked(s), s)})
}
