package console

func diligenceScreens() []screen { return nil }
