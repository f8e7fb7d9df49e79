package console

func paperScreens() []screen { return nil }
