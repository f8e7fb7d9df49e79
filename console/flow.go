package console

func flowScreens() []screen { return nil }
