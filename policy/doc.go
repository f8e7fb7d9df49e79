// Package policy answers one question: may this caller do this, now? The
// answer is a Permit or a Refusal, never both and never neither.
//
// Cedar decides. One base policy permits; every condition (a gate, package
// gate) is a Cedar policy of its own that forbids unless its facts hold. Go
// supplies the facts and explains the outcome, but cannot overrule it.
//
// Facts are of two kinds, after how often they change:
//
//	principal.<gate>.<fact>  what the registry says of the caller: its vendor's
//	                         agreement, its person's training. Constant while the
//	                         snapshot is the newest and no date is passed, and kept
//	                         for that long.
//	context.<gate>.<fact>    what this request brings: what it asks, how it came,
//	                         what was released so far, what the data holds.
//	context.now              the time of the decision, UTC: to the millisecond, or
//	                         the beginning of its second where no gate can tell
//	                         the difference; with site policies the former.
//
// The principal is Sallyport::Grant::"<id>", a member of the vendor, app,
// device, person, engagement and role that it stands for; the action is
// Sallyport::Action::"<FHIR interaction>"; the resource is
// Sallyport::Source::"<id>" with the attributes region and data_classes.
//
// It fails closed. A fact that is missing is a Cedar error, and an error of any
// policy refuses, in the name of that policy's gate. A policy that nobody knows
// refuses. The zero Engine, Request, Permit and Admission refuse.
//
// A site may add Cedar files of its own. They can only forbid, see all of the
// above and context.request (interaction, resources, reads, page_size), and
// are reported as gate "site:<id>" with their @message, @next_step, @citation
// and @who; @audience("vendor") shows them to the vendor too.
//
// Times are compared at one-millisecond resolution, the start of a window
// inclusive and its end exclusive; starts are rounded up and ends down.
package policy
