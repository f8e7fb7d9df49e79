package console

func firmConnectScreens() []screen { return nil }
