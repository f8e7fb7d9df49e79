package console

func systemScreens() []screen {
	return []screen{
		on("sessions", "Sessions and devices", "GET /console/sessions", ours, (*server).sessions),
		on("devices", "Devices", "GET /console/devices", ours, (*server).devices),
		on("device", "Device", "GET /console/devices/{id}", ours, (*server).device),
		on("apps", "Programs", "GET /console/apps", ours, (*server).apps),
		on("app", "Program", "GET /console/apps/{id}", ours, (*server).app),
		on("workloads", "Workloads", "GET /console/workloads", ours, (*server).workloads),
		on("connectors", "Connectors", "GET /console/connectors", ours, (*server).connectors),
		on("holds", "Holds", "GET /console/holds", ours, (*server).holds),
		on("keys", "Keys", "GET /console/keys", ours, (*server).keys),
		on("key", "Keys of an engagement", "GET /console/keys/{id}", ours, (*server).key),
		on("statement", "Statement on keys", "GET /console/keys/{id}/statement", ours, (*server).statement),
		on("health", "Health", "GET /console/health", ours, (*server).health),
	}
}

// machineTabs are the pages about who and what is connected.
func machineTabs(here string) []tab {
	out := []tab{{"Sessions", "/console/sessions", false}, {"Devices", "/console/devices", false}, {"Programs", "/console/apps", false},
		{"Workloads", "/console/workloads", false}, {"Connectors", "/console/connectors", false}}
	for i := range out {
		out[i].Here = out[i].Label == here
	}
	return out
}
