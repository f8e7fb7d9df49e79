package console

func firmScreens() []screen { return nil }
