package registry

// agreementActs are the acts of agreements beyond drafting and signing: amendments, notices, cures (45 CFR 164.504(e)).
var agreementActs = []Spec{}
