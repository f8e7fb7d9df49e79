package registry

// trainingActs are the acts of the course, and courses that are taught elsewhere (45 CFR 164.308(a)(5), 164.530(b)).
var trainingActs = []Spec{}
