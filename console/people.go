package console

func peopleScreens() []screen { return nil }
