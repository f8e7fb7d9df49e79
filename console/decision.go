package console

func decisionScreens() []screen { return nil }
