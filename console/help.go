package console

func helpScreens() []screen { return nil }
