package registry

// offboardingActs are the acts of the parting from a vendor (45 CFR 164.504(e)(2)(ii)(J)).
var offboardingActs = []Spec{}
