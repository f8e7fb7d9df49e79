package console

func partingScreens() []screen { return nil }
