package registry

// incidentActs are the acts of incidents and breaches (45 CFR 164.308(a)(6), 164.400 to 414).
var incidentActs = []Spec{}
