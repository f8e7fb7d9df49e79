package registry_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// whoScenarios are of people, their machines and programs, and how each proves who it is.
var whoScenarios = map[registry.Kind]scenario{
	"person.propose": {allowed: act(person2), refused: []refusal{
		bad("classification", with(person2, func(a *registry.ProposePerson) { a.Classification = "staff" })),
		bad("duties", with(person2, func(a *registry.ProposePerson) { a.Duties = []registry.Duty{registry.Operator} })),
		bad("duties", with(person2, func(a *registry.ProposePerson) {
			a.Vendor, a.Duties = "", []registry.Duty{registry.Operator, registry.Auditor}
		})),
		{act(with(person2, func(a *registry.ProposePerson) { a.Vendor, a.Key256 = "", registrytest.Key("ada") })), "key_sha256", problem.Conflict}}},
	"person.amend": {allowed: act(registry.AmendPerson{ID: "lin", Name: "Lin", Classification: hipaa.BusinessAssociate, Basis: "employee of the vendor", Region: "CA"}), refused: []refusal{
		gone(registry.AmendPerson{ID: "p3"}), bad("name", registry.AmendPerson{ID: "lin"}), bad("classification", registry.AmendPerson{ID: "lin", Name: "L"}),
		bad("region", registry.AmendPerson{ID: "lin", Name: "L", Classification: hipaa.BusinessAssociate, Basis: "b", Region: "x"}),
		{act(registry.AmendPerson{ID: "grace", Name: "G", Classification: hipaa.Workforce, Basis: "b"}), "", problem.Refused}},
		then: func(v *snapshot.View) string {
			p, _ := v.Persons.Get("lin")
			return want(p.State == snapshot.Proposed && p.Region == "CA", "a new region holds without approval")
		}},
	"person.link-directory": {before: by("ada", scim2, person2, idp2), allowed: act(registry.LinkDirectory{ID: "lin", Directory: snapshot.Directory{Connector: "scim2", UserName: "lin@northwind.example"}}), refused: []refusal{
		gone(registry.LinkDirectory{ID: "p3"}), bad("directory.connector", registry.LinkDirectory{ID: "lin", Directory: snapshot.Directory{Connector: "none", UserName: "l"}}),
		bad("directory.connector", registry.LinkDirectory{ID: "lin", Directory: snapshot.Directory{Connector: "idp2", UserName: "l"}}),
		bad("directory.connector", registry.LinkDirectory{ID: "ada", Directory: snapshot.Directory{Connector: "scim2", UserName: "a"}}),
		bad("directory.user_name", registry.LinkDirectory{ID: "lin", Directory: snapshot.Directory{Connector: "scim2"}})},
		then: func(v *snapshot.View) string {
			ps := v.PersonsOfDirectory("scim2")
			return want(len(ps) == 1 && ps[0].ID == "lin" && ps[0].State == snapshot.Approved, "the directory does not know the person")
		}},
	"person.approve":    {before: by("ada", person2), allowed: act(registry.ApprovePerson{ID: "p2"}), refused: []refusal{gone(registry.ApprovePerson{ID: "p3"}), wrongState(registry.ApprovePerson{ID: "lin"})}},
	"person.deactivate": {allowed: act(registry.DeactivatePerson{ID: "ada"}), refused: []refusal{gone(registry.DeactivatePerson{ID: "p3"})}},
	"person.amend-duties": {allowed: act(registry.AmendDuties{ID: "ada", Duties: []registry.Duty{registry.Operator}}), refused: []refusal{
		gone(registry.AmendDuties{ID: "p3"}), bad("duties[0]", registry.AmendDuties{ID: "ada", Duties: []registry.Duty{"opreator"}}),
		{act(registry.AmendDuties{ID: "lin"}), "id", problem.Conflict}, {act(registry.AmendDuties{ID: "grace"}), "", problem.Refused}}},
	"person.register-key": {allowed: act(registry.RegisterPersonKey{ID: "ada", Key256: registrytest.Key("new")}), refused: []refusal{
		gone(registry.RegisterPersonKey{ID: "p3"}), {act(registry.RegisterPersonKey{ID: "ada", Key256: registrytest.Key("grace")}), "key_sha256", problem.Conflict}},
		then: func(v *snapshot.View) string {
			p, _ := v.Persons.Get("ada")
			return want(p.State == snapshot.Proposed, "a key put in by another person holds without approval")
		}},

	"person.suspend": {allowed: act(registry.SuspendPerson{ID: "lin"}), refused: []refusal{gone(registry.SuspendPerson{ID: "p3"})}},
	"person.resume": {before: by("ada", registry.SuspendPerson{ID: "lin"}), allowed: act(registry.ResumePerson{ID: "lin"}), refused: []refusal{
		gone(registry.ResumePerson{ID: "p3"}), wrongState(registry.ResumePerson{ID: "ada"})},
		then: func(v *snapshot.View) string {
			p, _ := v.Persons.Get("lin")
			return want(p.State == snapshot.Approved && len(p.SuspendedBy) == 0 && p.ApprovedBy == "grace", "the person is not as before")
		}},
	"person.link-login": {before: by("ada", idp2, registry.RegisterConnector{ID: "own", Kind: snapshot.OIDCProvider, Name: "Ours", Issuer: "https://login.example", ClientID: "s"}),
		allowed: act(registry.LinkLogin{ID: "lin", Login: snapshot.Login{Connector: "idp2", Subject: "00u1"}}), refused: []refusal{
			gone(registry.LinkLogin{ID: "p3"}), bad("login.connector", registry.LinkLogin{ID: "lin", Login: snapshot.Login{Connector: "idp3", Subject: "1"}}),
			bad("login.connector", registry.LinkLogin{ID: "lin", Login: snapshot.Login{Connector: "own", Subject: "1"}}),
			bad("login.connector", registry.LinkLogin{ID: "ada", Login: snapshot.Login{Connector: "idp2", Subject: "1"}}),
			bad("login.subject", registry.LinkLogin{ID: "lin", Login: snapshot.Login{Connector: "idp2"}})},
		then: func(v *snapshot.View) string {
			p, ok := v.PersonByLogin(snapshot.Login{Connector: "idp2", Subject: "00u1"})
			return want(ok && p.ID == "lin" && p.State == snapshot.Proposed, "a login put in by another holds without approval, or is not found")
		}},
	"person.invite": {allowed: act(invite2), refused: []refusal{
		gone(with(invite2, func(a *registry.InvitePerson) { a.ID = "p3" })),
		bad("code_sha256", with(invite2, func(a *registry.InvitePerson) { a.Code256 = "code" })),
		bad("expires_at", with(invite2, func(a *registry.InvitePerson) { a.ExpiresAt = noon })),
		bad("expires_at", with(invite2, func(a *registry.InvitePerson) { a.ExpiresAt = noon.AddDate(0, 0, 8) }))},
		then: func(v *snapshot.View) string {
			p, _ := v.Persons.Get("lin")
			return want(p.State == snapshot.Approved && p.Invitation.By == "grace" && p.Invitation.Open(noon) && !p.Invitation.Open(noon.Add(time.Hour)), "the invitation is not open for its time")
		}},
	"person.add-passkey": {allowed: act(passkey2), refused: []refusal{
		bad("passkey.id", with(passkey2, func(a *registry.AddPasskey) { a.Passkey.ID = nil })),
		bad("passkey.public_key", with(passkey2, func(a *registry.AddPasskey) { a.Passkey.PublicKey = nil })),
		bad("passkey.aaguid", with(passkey2, func(a *registry.AddPasskey) { a.Passkey.AAGUID = []byte("x") })),
		bad("passkey.added_at", with(passkey2, func(a *registry.AddPasskey) { a.Passkey.AddedAt = noon })),
		bad("passkey.fingerprint", with(passkey2, func(a *registry.AddPasskey) { a.Passkey.Fingerprint = "AAAA" })),
		{act(with(passkey2, func(a *registry.AddPasskey) { a.Invitation256 = strings.Repeat("cd", 32) })), "invitation_sha256", problem.Conflict}},
		then: func(v *snapshot.View) string {
			p, ok := v.PersonByPasskey([]byte("credential"))
			return want(ok && p.ID == "grace" && p.Passkeys[0].AddedAt.Equal(noon), "the passkey is not the person's")
		}},
	"person.remove-passkey": {before: by("grace", passkey2, session2), allowed: act(registry.RemovePasskey{ID: "grace", Credential: []byte("credential")}), refused: []refusal{
		gone(registry.RemovePasskey{ID: "p3"}), {act(registry.RemovePasskey{ID: "grace", Credential: []byte("other")}), "credential", problem.Conflict}},
		then: func(v *snapshot.View) string {
			s, _ := v.Sessions.Get("s2")
			return want(!s.EndedAt.IsZero(), "the session that it began goes on")
		}},
	"session.start": {allowed: act(session2), refused: []refusal{
		bad("secret_sha256", with(session2, func(a *registry.StartSession) { a.Secret256 = "x" })),
		bad("expires_at", with(session2, func(a *registry.StartSession) { a.ExpiresAt = noon.Add(9 * time.Hour) })),
		bad("method", with(session2, func(a *registry.StartSession) { a.Method = "password" })),
		bad("strong", with(session2, func(a *registry.StartSession) { a.Method = snapshot.ByCertificate })),
		bad("connector", with(session2, func(a *registry.StartSession) { a.Connector = "idp2" })),
		bad("connector", with(session2, func(a *registry.StartSession) { a.Method, a.Strong, a.Connector = snapshot.ByOIDC, false, "idp2" })),
		{act(with(session2, func(a *registry.StartSession) { a.Credential = []byte("credential") })), "credential", problem.Conflict},
		bad("sign_count", with(session2, func(a *registry.StartSession) { a.SignCount = 1 })),
		bad("client", with(session2, func(a *registry.StartSession) { a.Client = "a\nb" }))}},
	"session.step-up": {before: by("grace", with(session2, func(a *registry.StartSession) { a.Method, a.Strong = snapshot.ByCertificate, false })), allowed: act(registry.StepUpSession{ID: "s2"}), refused: []refusal{gone(registry.StepUpSession{ID: "s3"})}},
	"session.see":     {before: by("grace", session2), allowed: act(registry.SeeSession{ID: "s2"}), refused: []refusal{gone(registry.SeeSession{ID: "s3"})}},
	"session.end":     {before: by("grace", session2), allowed: act(registry.EndSession{ID: "s2"}), refused: []refusal{gone(registry.EndSession{ID: "s3"})}},
	"session.kill":    {before: by("grace", session2), allowed: act(registry.KillSession{ID: "s2"}), refused: []refusal{gone(registry.KillSession{ID: "s3"})}},
	"connector.register": {before: by("ada", vendor2, idp2), allowed: act(scim2), refused: []refusal{
		bad("kind", with(scim2, func(a *registry.RegisterConnector) { a.Kind = "ldap" })),
		bad("token_sha256", with(scim2, func(a *registry.RegisterConnector) { a.Token256 = "" })),
		bad("issuer", with(scim2, func(a *registry.RegisterConnector) { a.Issuer = "https://x.example" })),
		bad("issuer", with(idp2, func(a *registry.RegisterConnector) { a.ID, a.Issuer = "idp3", "http://login.example" })),
		bad("client_id", with(idp2, func(a *registry.RegisterConnector) { a.ID, a.ClientID = "idp3", "" })),
		bad("vendor", with(keysrv2, func(a *registry.RegisterConnector) { a.Vendor = "" })),
		bad("pins_sha256", with(idp2, func(a *registry.RegisterConnector) { a.ID, a.Pins = "idp3", []snapshot.KeyDigest{"x"} })),
		bad("pins_sha256[0]", with(keysrv2, func(a *registry.RegisterConnector) { a.Pins = []snapshot.KeyDigest{"x"} })),
		bad("keys", with(keysrv2, func(a *registry.RegisterConnector) { a.Keys = keys2 })),
		bad("anchors", with(udap2, func(a *registry.RegisterConnector) { a.Anchors = "x" })),
		bad("anchors", with(udap2, func(a *registry.RegisterConnector) { a.Anchors += "x" })),
		bad("owner", with(udap2, func(a *registry.RegisterConnector) { a.Owner = "ada" })),
		bad("token_sha256", with(udap2, func(a *registry.RegisterConnector) { a.Token256 = strings.Repeat("ab", 32) })),
		{act(with(idp2, func(a *registry.RegisterConnector) { a.ID, a.Vendor = "idp3", "v2" })), "issuer", problem.Conflict}, // pinned to northwind
		{act(with(idp2, func(a *registry.RegisterConnector) { a.ID = "idp3" })), "issuer", problem.Conflict}}},
	"connector.approve": {before: by("ada", scim2), allowed: act(registry.ApproveConnector{ID: "scim2"}), refused: []refusal{gone(registry.ApproveConnector{ID: "c3"})}},
	"connector.rotate": {before: by("grace", scim2), allowed: act(registry.RotateConnector{ID: "scim2", Token256: strings.Repeat("cd", 32)}), refused: []refusal{
		gone(registry.RotateConnector{ID: "c3"}), bad("token_sha256", registry.RotateConnector{ID: "scim2"}), bad("keys", registry.RotateConnector{ID: "scim2", Keys: keys2, Token256: strings.Repeat("cd", 32)})}},
	"connector.revoke": {before: by("ada", scim2), allowed: act(registry.RevokeConnector{ID: "scim2"}), refused: []refusal{gone(registry.RevokeConnector{ID: "c3"})}},

	"training.record": {allowed: act(training2), refused: []refusal{
		bad("score", with(training2, func(a *registry.RecordTraining) { a.Score = math.NaN() })),
		bad("person", with(training2, func(a *registry.RecordTraining) { a.Person = "linn" })),
		{act(with(training2, func(a *registry.RecordTraining) { a.Person = "grace" })), "", problem.Refused}}},
	"training.revoke": {allowed: act(registry.RevokeTraining{ID: "lin-2026"}), refused: []refusal{gone(registry.RevokeTraining{ID: "t3"})}},

	"device.enroll": {allowed: act(device2), refused: []refusal{
		{act(with(device2, func(a *registry.EnrollDevice) { a.Key256 = registrytest.Key("northwind-gpu-1") })), "key_sha256", problem.Conflict},
		bad("region", with(device2, func(a *registry.EnrollDevice) { a.Region = "USA" })),
		bad("key_sha256", with(device2, func(a *registry.EnrollDevice) { a.Key256 = "" })), // neither
		bad("key_sha256", with(pod2, func(a *registry.EnrollDevice) { a.Key256 = registrytest.Key("d2") })),
		bad("key_store", with(pod2, func(a *registry.EnrollDevice) { a.KeyStore = snapshot.InTPM })),
		bad("spiffe_id", with(pod2, func(a *registry.EnrollDevice) { a.SPIFFE = "spiffe://v2.example/triage" })), // another vendor's domain
		bad("spiffe_id", with(pod2, func(a *registry.EnrollDevice) { a.SPIFFE = "spiffe://fabrikam.example/triage" })),
		bad("spiffe_id", with(pod2, func(a *registry.EnrollDevice) { a.SPIFFE = "spiffe://prod.northwind.example" })),
		bad("spiffe_id", with(pod2, func(a *registry.EnrollDevice) { a.SPIFFE = "spiffe://prod.northwind.example/a/../b" })),
		bad("spiffe_id", with(pod2, func(a *registry.EnrollDevice) { a.SPIFFE = "SPIFFE://prod.northwind.example/a" })),
		bad("owner", with(device2, func(a *registry.EnrollDevice) { a.Owner = "ada" }))}},
	"workload.attest": {before: by("ada", vendor2, proven2, engage2with("e3", nil), registry.EnrollDevice{ID: "d3", Vendor: "v2", Key256: registrytest.Key("d3"), Region: "US"}), allowed: act(attest2), refused: []refusal{
		bad("device", with(attest2, func(a *registry.AttestWorkload) { a.Device = "northwind-gpu-2" })),
		bad("engagement", with(attest2, func(a *registry.AttestWorkload) { a.Device = "d3" })),
		bad("engagement", with(attest2, func(a *registry.AttestWorkload) { a.Engagement = "e4" })),
		{act(with(attest2, func(a *registry.AttestWorkload) { a.Engagement = "e3" })), "engagement", problem.Conflict},
		bad("image", with(attest2, func(a *registry.AttestWorkload) { a.Image = "registry.example/triage:latest" })),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) { a.Image = strings.Repeat("2c", 32) })),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) { a.Bundle = nil })),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) { a.Bundle = build2.image(image2) })), // no provenance
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) {
			a.Bundle = otherBuild.provenance(image2, builder2, "https://git.northwind.example/ml/triage")
		})),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) {
			a.Bundle = build2.provenance(image2, "https://laptop.example", "https://git.northwind.example/ml/triage")
		})),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) {
			a.Bundle = build2.provenance(image2, builder2, "https://git.northwind.example/mlx")
		})),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) {
			a.Bundle = json.RawMessage(strings.Repeat(" ", 300<<10) + string(a.Bundle))
		})),
		bad("expires_at", with(attest2, func(a *registry.AttestWorkload) { a.ExpiresAt = noon })),
		bad("expires_at", with(attest2, func(a *registry.AttestWorkload) { a.ExpiresAt = year }))},
		then: func(v *snapshot.View) string {
			e, _ := v.Engagements.Get("e2")
			list := v.AttestationsOf("northwind-gpu-1")
			if len(list) != 1 {
				return "the attestation is not found by its device"
			}
			r := list[0]
			return want(r.Image256 == image2 && r.Demand256 == e.Workload.Digest() && r.Builder == builder2 && r.Source == "https://git.northwind.example/ml/triage" &&
				r.Location == "US" && r.LocationBy == "declared" && r.DeclaredBy == "grace" && r.At.Equal(noon) && len(r.Key256) == 64 && len(r.Statement256) == 64, fmt.Sprintf("got %+v", *r))
		}},
	"workload.revoke": {before: by("grace", proven2, attest2), allowed: act(registry.RevokeAttestation{ID: "w2"}), refused: []refusal{gone(registry.RevokeAttestation{ID: "w3"})}},
	"vendor.screen": {before: by("grace", vendor2), allowed: act(screen2), refused: []refusal{
		gone(registry.ScreenVendor{ID: "v3", Ownership: snapshot.No, Access: snapshot.No, ScreenedAt: noon, ValidUntil: year}),
		{act(with(screen2, func(a *registry.ScreenVendor) { a.ID = "v2" })), "", problem.Refused}, // Grace asked for it
		bad("ownership", with(screen2, func(a *registry.ScreenVendor) { a.Ownership = "" })),
		bad("access", with(screen2, func(a *registry.ScreenVendor) { a.Access = "unknown" })),
		bad("screened_at", with(screen2, func(a *registry.ScreenVendor) { a.ScreenedAt = year })),
		bad("screened_at", with(screen2, func(a *registry.ScreenVendor) { a.ScreenedAt = noon.AddDate(-1, 0, 0) })), // before the last
		bad("valid_until", with(screen2, func(a *registry.ScreenVendor) { a.ValidUntil = noon })),
		bad("report_sha256", with(screen2, func(a *registry.ScreenVendor) { a.Report = "x" }))},
		then: func(v *snapshot.View) string {
			w, _ := v.Vendors.Get("northwind")
			return want(w.State == snapshot.Approved && w.Screening.By == "grace" && !w.Screening.Clear() && w.Screening.Access == snapshot.Yes, "what was found is not on record")
		}},
	"device.invite": {allowed: act(machine2), refused: []refusal{
		bad("owner", with(machine2, func(a *registry.InviteDevice) { a.Owner = "ada" })),
		bad("code_sha256", with(machine2, func(a *registry.InviteDevice) { a.Code256 = "code" })),
		bad("expires_at", with(machine2, func(a *registry.InviteDevice) { a.ExpiresAt = noon })),
		bad("expires_at", with(machine2, func(a *registry.InviteDevice) { a.ExpiresAt = year })),
		{act(with(machine2, func(a *registry.InviteDevice) { a.ID, a.Owner = "northwind-gpu-1", "" })), "owner", problem.Invalid},
		{act(with(machine2, func(a *registry.InviteDevice) { a.App = "triage app" })), "app", problem.Invalid}},
		then: func(v *snapshot.View) string {
			d, _ := v.Devices.Get("d2")
			_, known := v.DeviceByKey("")
			return want(d.State == snapshot.Invited && d.Key256 == "" && d.Invitation.By == "grace" && !known, "the invitation is not noted, or a device without a key is found")
		}},
	"device.accept": {before: by("grace", machine2), allowed: act(accept2), refused: []refusal{
		gone(with(accept2, func(a *registry.AcceptInvitation) { a.ID = "d3" })),
		{act(with(accept2, func(a *registry.AcceptInvitation) { a.ID = "northwind-gpu-1" })), "code_sha256", problem.Conflict},
		{act(with(accept2, func(a *registry.AcceptInvitation) { a.Code256 = strings.Repeat("0", 64) })), "code_sha256", problem.Conflict},
		{act(with(accept2, func(a *registry.AcceptInvitation) { a.Key256 = registrytest.Key("northwind-gpu-1") })), "key_sha256", problem.Conflict},
		bad("key_sha256", with(accept2, func(a *registry.AcceptInvitation) { a.Key256 = "" })),
		bad("key_store", with(accept2, func(a *registry.AcceptInvitation) { a.KeyStore = "" })),
		bad("region", with(accept2, func(a *registry.AcceptInvitation) { a.Region = "USA" })),
		bad("seal_to[0]", with(accept2, func(a *registry.AcceptInvitation) { a.SealTo = []string{"a b"} }))},
		then: func(v *snapshot.View) string {
			d, _ := v.DeviceByKey(accept2.Key256)
			return want(d != nil && d.State == snapshot.Proposed && d.RequestedBy == "grace" && !d.Invitation.UsedAt.IsZero(), "the device does not wait for approval in the name of who invited")
		}},
	"device.approve": {before: by("ada", device2), allowed: act(registry.ApproveDevice{ID: "d2", TrustedUntil: year}), refused: []refusal{
		gone(registry.ApproveDevice{ID: "d3"}), bad("trusted_until", registry.ApproveDevice{ID: "d2"}), bad("trusted_until", registry.ApproveDevice{ID: "d2", TrustedUntil: noon.AddDate(5, 0, 0)})}},
	"device.revoke": {allowed: act(registry.RevokeDevice{ID: "northwind-gpu-1"}), refused: []refusal{gone(registry.RevokeDevice{ID: "d3"})}},

	"device.set-recipients": {allowed: act(registry.SetRecipients{ID: "northwind-gpu-1", SealTo: []string{"age1pq1x"}}), refused: []refusal{
		gone(registry.SetRecipients{ID: "d3"}), bad("seal_to[0]", registry.SetRecipients{ID: "northwind-gpu-1", SealTo: []string{"a b"}})},
		then: func(v *snapshot.View) string {
			d, _ := v.Devices.Get("northwind-gpu-1")
			return want(d.State == snapshot.Proposed, "keys put in by another hold without approval")
		}},
	"posture.report": {allowed: act(posture2), refused: []refusal{
		bad("device", with(posture2, func(a *registry.ReportPosture) { a.Device = "d3" })),
		bad("source", with(posture2, func(a *registry.ReportPosture) { a.Source = snapshot.FromFleet })),
		bad("firewall", with(posture2, func(a *registry.ReportPosture) { a.Firewall = "" })),
		bad("update_age_days", with(posture2, func(a *registry.ReportPosture) { a.UpdateAge = -2 })),
		bad("os", with(posture2, func(a *registry.ReportPosture) { a.OS = "" }))}},

	"session.authorize-app": {before: notebook(), allowed: act(let2), refused: []refusal{
		gone(with(let2, func(a *registry.AuthorizeApp) { a.ID = "s9" })),
		bad("code_challenge", with(let2, func(a *registry.AuthorizeApp) { a.Challenge = "plain" })),
		bad("redirect_uri", with(let2, func(a *registry.AuthorizeApp) { a.Redirect = "http://127.0.0.1:4711/callback2" })),
		bad("redirect_uri", with(let2, func(a *registry.AuthorizeApp) { a.Redirect = "https://app.northwind.example:444/cb" })),
		bad("app", with(let2, func(a *registry.AuthorizeApp) { a.App = "x9" })),
		bad("device", with(let2, func(a *registry.AuthorizeApp) { a.Device = "d9" })),
		{act(with(let2, func(a *registry.AuthorizeApp) { a.Grant = "triage-grant" })), "grant", problem.Conflict}}, // another application's
		then: func(v *snapshot.View) string {
			s, _ := v.Sessions.Get("s3")
			x, ok := s.Authorization("z1")
			return want(ok && !x.Live() && x.CodeUntil.Equal(noon.Add(registry.CodeLife)), "it counts before its code was brought")
		}},
	"session.redeem-code": {before: notebook(let2), allowed: act(redeem2), refused: []refusal{
		gone(registry.RedeemCode{ID: "s9", Authorization: "z1"}), bad("authorization", registry.RedeemCode{ID: "s3", Authorization: "z9"})},
		then: func(v *snapshot.View) string {
			s, _ := v.Sessions.Get("s3")
			x, _ := s.Authorization("z1")
			return want(x.Live() && x.Generation == 1, "it does not count, or has no refresh token")
		}},
	"session.refresh-app": {before: notebook(let2, redeem2), allowed: act(registry.RefreshAuthorization{ID: "s3", Authorization: "z1", Generation: 1}), refused: []refusal{
		gone(registry.RefreshAuthorization{ID: "s9", Authorization: "z1", Generation: 1}), bad("authorization", registry.RefreshAuthorization{ID: "s3", Authorization: "z9", Generation: 1}),
		{act(registry.RefreshAuthorization{ID: "s3", Authorization: "z1", Generation: 2}), "generation", problem.Conflict},
		{act(registry.RefreshAuthorization{ID: "s3", Authorization: "z1"}), "generation", problem.Conflict}}},
	"session.revoke-app": {before: notebook(let2, redeem2), allowed: act(registry.RevokeAuthorization{ID: "s3", Authorization: "z1", Cause: registry.EndRevoked}), refused: []refusal{
		gone(registry.RevokeAuthorization{ID: "s9", Authorization: "z1", Cause: registry.EndRevoked}),
		bad("cause", registry.RevokeAuthorization{ID: "s3", Authorization: "z1", Cause: "bored"})},
		then: func(v *snapshot.View) string {
			s, _ := v.Sessions.Get("s3")
			x, _ := s.Authorization("z1")
			return want(!x.Live() && s.EndedAt.IsZero(), "it counts still, or the session ended with it")
		}},

	"app.register": {before: func(w *world) {
		for _, c := range []registry.RegisterConnector{keysrv2, udap2, idp2} {
			w.must("ada", c)
			w.must("eve", registry.ApproveConnector{ID: c.ID})
		}
	}, allowed: act(app2), refused: []refusal{
		bad("keys", with(note2, func(a *registry.RegisterApp) { a.Keys = keys2 })),
		bad("kind", with(note2, func(a *registry.RegisterApp) { a.Kind = snapshot.Workload })),
		bad("redirect_uris", with(note2, func(a *registry.RegisterApp) { a.Redirects = nil })),
		bad("redirect_uris[0]", with(note2, func(a *registry.RegisterApp) { a.Redirects = []string{"http://app.example/cb"} })),
		bad("redirect_uris[0]", with(note2, func(a *registry.RegisterApp) { a.Redirects = []string{"http://localhost/cb"} })),
		bad("redirect_uris[0]", with(note2, func(a *registry.RegisterApp) { a.Redirects = []string{"https://app.example/cb#x"} })),
		bad("redirect_uris[0]", with(note2, func(a *registry.RegisterApp) { a.Redirects = []string{"https://a@app.example/cb"} })),
		bad("token_binding", with(app2, func(a *registry.RegisterApp) { a.TokenBinding = "none" })),
		bad("keys", with(kept2, func(a *registry.RegisterApp) { a.Keys = keys2 })),
		bad("keys_from", with(kept2, func(a *registry.RegisterApp) { a.KeysFrom = "idp2" })),
		bad("keys_from", with(app2, func(a *registry.RegisterApp) { a.KeysFrom = "udap2" })),
		bad("keys_from", with(kept2, func(a *registry.RegisterApp) { a.KeysFrom = "c9" })),
		bad("keys", with(app2, func(a *registry.RegisterApp) { a.Keys = nil })),
		bad("owner", with(app2, func(a *registry.RegisterApp) { a.Owner = "ada" }))}},
	"app.approve": {before: by("ada", app2), allowed: act(registry.ApproveApp{ID: "x2"}), refused: []refusal{gone(registry.ApproveApp{ID: "x3"}),
		{func(w *world) registry.Act { // somebody must answer for an agent
			w.must("ada", person2)
			w.must("ada", with(app2, func(a *registry.RegisterApp) { a.ID, a.Owner = "x4", "p2" }))
			return registry.ApproveApp{ID: "x4"}
		}, "owner", problem.Conflict}}},
	"app.rotate-keys": {allowed: act(registry.RotateAppKeys{ID: "triage", Keys: keys2}), refused: []refusal{gone(registry.RotateAppKeys{ID: "x3"}), bad("keys", registry.RotateAppKeys{ID: "triage"})},
		then: func(v *snapshot.View) string {
			a, _ := v.Apps.Get("triage")
			return want(a.State == snapshot.Proposed, "a key put in by one person holds without approval")
		}},
	"app.offer-keys": {before: keyServer(), allowed: act(registry.OfferAppKeys{ID: "x4", Keys: keys2}), refused: []refusal{
		gone(registry.OfferAppKeys{ID: "x9"}), bad("keys.keys[0].k", registry.OfferAppKeys{ID: "x4", Keys: json.RawMessage(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)}),
		{act(registry.OfferAppKeys{ID: "triage", Keys: keys2}), "id", problem.Conflict}},
		then: func(v *snapshot.View) string {
			a, _ := v.Apps.Get("x4")
			return want(len(a.Keys) == 0 && len(a.PendingKeys) > 0, "a key that was only published counts")
		}},
	"app.approve-keys": {before: keyServer(registry.OfferAppKeys{ID: "x4", Keys: keys2}), allowed: act(registry.ApproveAppKeys{ID: "x4", Thumbprints: []string{thumb(keys2)}}), refused: []refusal{
		gone(registry.ApproveAppKeys{ID: "x9"}), bad("thumbprints", registry.ApproveAppKeys{ID: "x4"}), bad("thumbprints[0]", registry.ApproveAppKeys{ID: "x4", Thumbprints: []string{"x"}})},
		then: func(v *snapshot.View) string {
			a, _ := v.Apps.Get("x4")
			return want(len(a.Keys) > 0 && len(a.PendingKeys) == 0, "the key does not count")
		}},
	"app.revoke-token": {allowed: act(registry.RevokeToken{ID: "triage", Token: "t1", Until: noon.Add(time.Minute)}), refused: []refusal{
		gone(registry.RevokeToken{ID: "x9", Token: "t1", Until: noon.Add(time.Minute)}),
		bad("token", registry.RevokeToken{ID: "triage", Until: noon.Add(time.Minute)}),
		bad("until", registry.RevokeToken{ID: "triage", Token: "t1"}),
		bad("until", registry.RevokeToken{ID: "triage", Token: "t1", Until: noon.Add(2 * time.Hour)}),
		bad("until", registry.RevokeToken{ID: "triage", Token: "t1", Until: noon})},
		then: func(v *snapshot.View) string {
			a, _ := v.Apps.Get("triage")
			return want(!a.Accepts("t1", noon) && a.Accepts("t2", noon), "the token counts, or another does not")
		}},
	"app.revoke": {allowed: act(registry.RevokeApp{ID: "triage"}), refused: []refusal{gone(registry.RevokeApp{ID: "x3"})}},
}
