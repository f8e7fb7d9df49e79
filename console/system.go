package console

func systemScreens() []screen { return nil }
