package registry

// accessActs are the acts of requests, elevations, reviews and emergencies (45 CFR 164.308(a)(4), 164.312(a)(2)(ii)).
var accessActs = []Spec{}
