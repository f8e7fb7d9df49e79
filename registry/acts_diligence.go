package registry

// diligenceActs are the acts of due diligence: profiles, questionnaires, links, findings (45 CFR 164.308(b)).
var diligenceActs = []Spec{}
