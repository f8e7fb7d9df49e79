package console

func incidentScreens() []screen { return nil }
